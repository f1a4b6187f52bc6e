# Completion of tuna-exp in bash. Made by: tuna-exp --shell-completion bash
_tuna_exp() {
    local line=${COMP_LINE:0:COMP_POINT}
    local word=${line##*[[:space:]]} lead="" found break
    # Bash takes what stands behind one of these for the word that it completes.
    for break in @ = :; do
        if [[ $COMP_WORDBREAKS == *"$break"* && $word == *"$break"* ]]; then
            found=${word%"${word##*"$break"}"}
            found=${found%@}  # which belongs to the word that it completes
            if ((${#found} > ${#lead})); then lead=$found; fi
        fi
    done
    COMPREPLY=()
    while IFS= read -r found; do
        COMPREPLY+=("${found#"$lead"}")
    done < <(COMP_LINE=$line "$1" --shell-completion query=bash 2>/dev/null)
    # A key or a group goes on; anything else is done.
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} != *[=./] ]]; then
        COMPREPLY=("${COMPREPLY[0]} ")
    fi
}
complete -o nospace -o default -F _tuna_exp tuna-exp
