"""What the benchmark of the edge measures: its nets, and the process that asks one runtime one question at a time."""
