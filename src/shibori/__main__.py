"""``python -m shibori``, which is also what ``torchrun -m shibori train ...`` runs."""

from shibori.cli import main

if __name__ == "__main__":
    main()
