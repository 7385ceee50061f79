"""The evals themselves on trial: bad agents, harmless variants, planted defects of the code."""
