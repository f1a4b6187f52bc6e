"""`python -m tuna_exp` is `tuna-exp`."""

from tuna_exp.cli import main

if __name__ == "__main__":
    main()
