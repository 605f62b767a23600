"""`python -m foretaste`, and so `torchrun -m foretaste train CONFIG`."""

from foretaste.cli import main

if __name__ == "__main__":
    main()
