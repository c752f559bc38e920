"""The life of `syncd run`: one supervisor, two processes, and the jobs that start passes (DESIGN 7)."""
