"""A runtime as AWS Lambda's: a line is an invocation, a line is its answer.

Whoever invokes it freezes it once the answer is there, and ends it without a word.
"""

import sys

from tests.chaos.hosts.work import work

if __name__ == "__main__":
    for line in sys.stdin:
        work(int(line))
        print(int(line), flush=True)
