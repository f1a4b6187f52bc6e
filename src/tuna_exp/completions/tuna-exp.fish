# Completion of tuna-exp in fish. Made by: tuna-exp --shell-completion fish
function __tuna_exp_complete
    set -lx COMP_LINE (commandline -cp)
    set -l command (commandline -cpo)[1]
    set -l found ($command --shell-completion query=fish 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c tuna-exp -f -a '(__tuna_exp_complete)'
