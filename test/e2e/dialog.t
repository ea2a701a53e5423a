#!/bin/sh
# The dialogues of test/dialog, each on pipes and on a listening socket.
cd "$(dirname "$0")/../dialog" && exec ./run *.smtp
