# What there is to do; `just` lists it. The work is in scripts/ and tests/lab/.

_list:
    @just --list

# everything: see scripts/test --help
test *ARGS:
    scripts/test {{ARGS}}

# format, lints and the tests that need no root
check:
    scripts/test --quick

# the program, its manual and completions below PREFIX (/usr/local): see scripts/install --help
install *ARGS:
    scripts/install {{ARGS}}

# a statically linked binary and a Debian package of it: see scripts/release --help
release *ARGS:
    scripts/release {{ARGS}}

# the book, into target/book; needs mdbook (cargo install mdbook)
book:
    mdbook build docs

# from nothing to two verified images
demo *ARGS:
    scripts/demo {{ARGS}}

# plans, runs with nothing to do and runs, beside ninja, make, just and go-task: see scripts/bench --help
bench *ARGS:
    scripts/bench {{ARGS}}

# the instructions of a plan and of a run with nothing to do, against their limits: see scripts/instructions --help
instructions *ARGS:
    scripts/instructions {{ARGS}}

# inputs that break reading and planning, 10000000 of them: see scripts/fuzz --help
fuzz *ARGS="--long":
    scripts/fuzz {{ARGS}}

# what tests do a few times, many times: see scripts/soak --help
soak *ARGS="kill":
    scripts/soak {{ARGS}}

# the lab: up, down, status, ...
lab *ARGS:
    tests/lab/lab {{ARGS}}
