"""Trials against a real model: rates, cost, comparisons."""
