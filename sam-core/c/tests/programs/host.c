/* `bits.c` on a machine with a C library. */
#include <stdio.h>

int run(void);
void say(const char *text);

void say(const char *text) { fputs(text, stdout); }

int main(void) { return run(); }
