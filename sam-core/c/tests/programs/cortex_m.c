/* `bits.c` on a Cortex-M with a debugger, or an emulator, that answers semihosting calls. */
#include <stdint.h>

int run(void);
void say(const char *text);
void reset(void);
extern uint32_t stack_top, bss_begin, bss_end;

static int semihost(int call, const void *argument) {
    register int r0 __asm__("r0") = call;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void say(const char *text) { semihost(0x04, text); }

static void leave(uint32_t status) {
    const uint32_t application_exit[2] = {0x20026, status};
    semihost(0x20, application_exit);
    for (;;) {
    }
}

static void fault(void) { leave(99); }

void reset(void) {
    /* The floating-point unit is off after a reset. */
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb");
    for (volatile uint32_t *word = &bss_begin; word < &bss_end; word++)
        *word = 0;
    leave((uint32_t)run());
}

/* What the processor reads after a reset: C has no conversion between the two kinds of pointer. */
static const struct {
    const void *stack;
    void (*reset)(void);
    void (*non_maskable)(void);
    void (*hard_fault)(void);
} vectors __attribute__((section(".vectors"), used)) = {&stack_top, reset, fault, fault};
