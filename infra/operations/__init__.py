"""What a person or CI does with a stack: ``python -m operations doctor|secrets|preview|up|down --stack NAME``.

One module a command. Standard library and ``configuration`` only; the Pulumi program itself is never imported.
"""
