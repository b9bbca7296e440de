/* The smallest program that reaches the library, with the memory functions that compilers call on their own. */
typedef unsigned long size;

void every_function(void);

void _start(void) {
    every_function();
    for (;;) {
    }
}

void *memcpy(void *to, const void *from, size n) {
    char *t = to;
    for (const char *f = from; n--;)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size n) {
    char *t = to;
    const char *f = from;
    if (t < f)
        return memcpy(to, from, n);
    while (n--)
        t[n] = f[n];
    return to;
}

void *memset(void *to, int value, size n) {
    for (char *t = to; n--;)
        *t++ = (char)value;
    return to;
}

int memcmp(const void *a, const void *b, size n) {
    const unsigned char *x = a, *y = b;
    for (; n--; x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

int bcmp(const void *a, const void *b, size n) { return memcmp(a, b, n); }
