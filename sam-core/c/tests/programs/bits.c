/* Steps of every method around every base optimizer; says the bits of the weights, which are the same on every machine.
 * Needs nothing of a C library: `say` and the start are the machine's. */
#include "sam_core.h"

#define N 5
#define STEPS 25

void say(const char *text);

static void say_bits(uint32_t bits) {
    char text[10];
    for (int i = 0; i < 8; i++)
        text[i] = "0123456789abcdef"[bits >> (28 - 4 * i) & 15];
    text[8] = ' ';
    text[9] = 0;
    say(text);
}

static union {
    double aligned[2];
    char bytes[1024];
} memory __attribute__((aligned(16)));
static float buffer[5 * N];

static void gradient(const float *w, float *g) {
    for (int i = 0; i < N; i++)
        g[i] = (float)(i + 1) * (w[i] - 0.5f);
}

/* 0 if all steps went through. */
int run(void) {
    if (sam_f32_size() > sizeof memory || sam_f32_align() > 16)
        return 1;
    for (uint32_t method = SAM_METHOD_SAM; method <= SAM_METHOD_LOOKSAM; method++)
        for (uint32_t base = SAM_BASE_SGD; base <= SAM_BASE_ADAM; base++) {
            const SamSettings settings = sam_settings(method, base);
            float w[N] = {3, -2, 1, 0, 2}, g[N];
            SamF32 *sam;
            if (sam_f32_init(&memory, sizeof memory, &settings, buffer, 5 * N, N, &sam) != SAM_STATUS_OK)
                return 2;
            for (int step = 0; step < STEPS; step++) {
                gradient(w, g);
                SamStatus status = sam_f32_begin(sam, w, g, 0);
                if (status == SAM_STATUS_GRADIENT) {
                    gradient(sam_f32_perturbed(sam), g);
                    status = sam_f32_finish(sam, w, g, 0);
                }
                if (status != SAM_STATUS_DESCENDED)
                    return 3;
            }
            for (int i = 0; i < N; i++) {
                union {
                    float number;
                    uint32_t bits;
                } both = {w[i]};
                say_bits(both.bits);
            }
            say("\n");
        }
    return 0;
}
