#compdef tuna-exp
# Completion of tuna-exp in zsh. Made by: tuna-exp --shell-completion zsh
_tuna_exp() {
    local line="${(j: :)words[1,CURRENT-1]} $PREFIX"
    local -a found
    found=(${(f)"$(COMP_LINE=$line "$words[1]" --shell-completion query=zsh 2>/dev/null)"})
    if (( ! $#found )); then
        compset -P '*='
        _files
        return
    fi
    # A key or a group goes on; anything else is done.
    local -a open=(${(M)found:#*[=./]}) closed=(${found:#*[=./]})
    (( $#open )) && compadd -S '' -- $open
    (( $#closed )) && compadd -- $closed
}
compdef _tuna_exp tuna-exp
