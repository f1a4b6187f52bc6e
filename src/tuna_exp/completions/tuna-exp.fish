# Completion of tuna-exp in fish. Made by: tuna-exp --shell-completion fish
function __tuna_exp_complete
    set -lx COMP_LINE (commandline -cp)
    set -l command (commandline -cpo)[1]
    set -l found ($command --shell-completion query=fish 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
        return
    end
    # A file, perhaps behind KEY=.
    set -l word (commandline -ct)
    set -l key (string match -r '^.*=' -- $word)
    for file in (__fish_complete_path (string replace -r '^.*=' '' -- $word))
        printf '%s%s\n' "$key" $file
    end
end
complete -c tuna-exp -f -a '(__tuna_exp_complete)'
