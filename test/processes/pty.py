"""A pseudoterminal whose other side does what it is told, one line a command: w HEX, r COUNT. Ends with its input."""
import os
import sys

master, slave = os.openpty()
# The line as a serial port has it at first: with echo, lines and control characters.
print(os.ttyname(slave), flush=True)
os.close(slave)
for line in sys.stdin:
    command, argument = line.split()
    if command == "w":
        os.write(master, bytes.fromhex(argument))
        print("ok", flush=True)
    else:
        got = b""
        while len(got) < int(argument):
            got += os.read(master, int(argument) - len(got))
        print(got.hex(), flush=True)
