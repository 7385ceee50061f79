"""What a trial is judged by: calls, state, reply, effects."""
