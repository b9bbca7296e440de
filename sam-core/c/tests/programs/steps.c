/* Steps of every method around every base optimizer in both precisions, and every misuse that can be caught.
 * SAM around SGD is held to a plain loop in C. Prints nothing and exits with 0 if all is well. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sam_core.h"

#define N 5

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);               \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* The whole test, for one precision. */
#define PRECISION(real, Sam, prefix, tolerance)                                                    \
    static void prefix##gradient(const real *w, real *g) {                                         \
        for (int i = 0; i < N; i++)                                                                \
            g[i] = (real)(i + 1) * (w[i] - (real)0.5);                                             \
    }                                                                                              \
                                                                                                   \
    /* Everything in blocks of their exact size, so that the sanitizer sees each byte beyond. */   \
    static Sam *prefix##lend(const SamSettings *settings, void **memory, real **buffer) {          \
        size_t words = prefix##words(settings, N);                                                 \
        Sam *sam = NULL;                                                                           \
        *memory = malloc(prefix##size());                                                          \
        *buffer = malloc(words * sizeof(real));                                                    \
        EXPECT(*memory && *buffer);                                                                \
        EXPECT(prefix##init(*memory, prefix##size(), settings, *buffer, words, N, &sam) == SAM_STATUS_OK); \
        return sam;                                                                                \
    }                                                                                              \
                                                                                                   \
    static SamStatus prefix##step(Sam *sam, real *w, real *g) {                                    \
        prefix##gradient(w, g);                                                                    \
        SamStatus status = prefix##begin(sam, w, g, 0);                                            \
        if (status == SAM_STATUS_GRADIENT) {                                                       \
            prefix##gradient(prefix##perturbed(sam), g);                                           \
            status = prefix##finish(sam, w, g, 0);                                                 \
        }                                                                                          \
        return status;                                                                             \
    }                                                                                              \
                                                                                                   \
    static void prefix##learns(uint32_t method, uint32_t base) {                                   \
        SamSettings settings = sam_settings(method, base);                                         \
        void *memory;                                                                              \
        real *buffer, w[N] = {3, -2, 1, 0, 2}, g[N];                                               \
        settings.lr = 0.02;                                                                        \
        settings.rho = 0.01;                                                                       \
        Sam *sam = prefix##lend(&settings, &memory, &buffer);                                      \
        for (int i = 0; i < 600; i++) {                                                            \
            EXPECT(prefix##step(sam, w, g) == SAM_STATUS_DESCENDED);                               \
            EXPECT(prefix##set_lr(sam, 0.02 * (600 - i) / 600) == SAM_STATUS_OK);                  \
        }                                                                                          \
        for (int i = 0; i < N; i++)                                                                \
            EXPECT(fabs((double)w[i] - 0.5) < 0.05);                                               \
        free(memory);                                                                              \
        free(buffer);                                                                              \
    }                                                                                              \
                                                                                                   \
    /* A run that is stopped, saved, and resumed by another handle in other memory ends with the same bits. */\
    static void prefix##resumes(uint32_t method, uint32_t base) {                                  \
        SamSettings settings = sam_settings(method, base);                                         \
        void *memory, *others;                                                                     \
        real *buffer, *other_buffer, w[N] = {3, -2, 1, 0, 2}, v[N], g[N];                          \
        Sam *sam = prefix##lend(&settings, &memory, &buffer), *next;                               \
        for (int i = 0; i < 4; i++)                                                                \
            EXPECT(prefix##step(sam, w, g) == SAM_STATUS_DESCENDED);                               \
        memcpy(v, w, sizeof w);                                                                    \
        /* Blocks of their exact size again, or of one byte where there is nothing, since no pointer may be null. */\
        size_t n = prefix##state_reals(sam) * sizeof(real), m = prefix##state_counts(sam) * sizeof(uint64_t);\
        real *reals = malloc(n ? n : 1);                                                           \
        uint64_t *counts = malloc(m ? m : 1);                                                      \
        EXPECT(reals && counts);                                                                   \
        prefix##gradient(w, g);                                                                    \
        if (prefix##begin(sam, w, g, 0) == SAM_STATUS_GRADIENT) {                                  \
            EXPECT(prefix##save(sam, reals, counts) == SAM_STATUS_ORDER);                          \
            EXPECT(prefix##load(sam, reals, counts) == SAM_STATUS_ORDER);                          \
            EXPECT(prefix##cancel(sam) == SAM_STATUS_OK);                                          \
        } else {                                                                                   \
            EXPECT(memcmp(v, w, sizeof w) != 0);                                                   \
            memcpy(v, w, sizeof w);                                                                \
        }                                                                                          \
        EXPECT(prefix##save(sam, reals, counts) == SAM_STATUS_OK);                                 \
        EXPECT(prefix##save(sam, NULL, counts) == SAM_STATUS_NULL);                                \
        EXPECT(prefix##load(sam, reals, NULL) == SAM_STATUS_NULL);                                 \
        for (int i = 0; i < 5; i++)                                                                \
            EXPECT(prefix##step(sam, w, g) == SAM_STATUS_DESCENDED);                               \
        free(memory);                                                                              \
        free(buffer);                                                                              \
        next = prefix##lend(&settings, &others, &other_buffer);                                    \
        EXPECT(prefix##state_reals(next) * sizeof(real) == n);                                     \
        EXPECT(prefix##load(next, reals, counts) == SAM_STATUS_OK);                                \
        free(reals);                                                                               \
        free(counts);                                                                              \
        for (int i = 0; i < 5; i++)                                                                \
            EXPECT(prefix##step(next, v, g) == SAM_STATUS_DESCENDED);                              \
        EXPECT(memcmp(v, w, sizeof w) == 0);                                                       \
        free(others);                                                                              \
        free(other_buffer);                                                                        \
    }                                                                                              \
                                                                                                   \
    /* Equation 2 and SGD without momentum, by hand. */                                            \
    static void prefix##is_sam(void) {                                                             \
        SamSettings settings = sam_settings(SAM_METHOD_SAM, SAM_BASE_SGD);                         \
        void *memory;                                                                              \
        real *buffer, w[N] = {3, -2, 1, 0, 2}, g[N];                                               \
        double by_hand[N] = {3, -2, 1, 0, 2};                                                      \
        settings.momentum = 0;                                                                     \
        EXPECT(prefix##words(&settings, N) == N);                                                  \
        Sam *sam = prefix##lend(&settings, &memory, &buffer);                                      \
        for (int step = 0; step < 20; step++) {                                                    \
            double norm = 0;                                                                       \
            for (int i = 0; i < N; i++)                                                            \
                norm += pow((i + 1) * (by_hand[i] - 0.5), 2);                                      \
            norm = sqrt(norm);                                                                     \
            for (int i = 0; i < N; i++) {                                                          \
                double up = by_hand[i] + settings.rho * (i + 1) * (by_hand[i] - 0.5) / norm;       \
                by_hand[i] -= settings.lr * (i + 1) * (up - 0.5);                                  \
            }                                                                                      \
            EXPECT(prefix##step(sam, w, g) == SAM_STATUS_DESCENDED);                               \
            EXPECT(fabs(prefix##norm(sam) - norm) <= (tolerance) * norm);                          \
            for (int i = 0; i < N; i++)                                                            \
                EXPECT(fabs((double)w[i] - by_hand[i]) <= (tolerance));                            \
        }                                                                                          \
        free(memory);                                                                              \
        free(buffer);                                                                              \
    }                                                                                              \
                                                                                                   \
    static void prefix##refuses(void) {                                                            \
        SamSettings settings = sam_settings(SAM_METHOD_SAM, SAM_BASE_SGD), bad;                    \
        void *memory, *room = malloc(prefix##size());                                              \
        real *buffer, w[N] = {3, -2, 1, 0, 2}, before[N], g[N] = {1, 1, 1, 1, 1};                  \
        Sam *other = NULL;                                                                         \
        Sam *sam = prefix##lend(&settings, &memory, &buffer);                                      \
        memcpy(before, w, sizeof w);                                                               \
                                                                                                   \
        EXPECT(prefix##finish(sam, w, g, 0) == SAM_STATUS_ORDER);                                  \
        EXPECT(prefix##cancel(sam) == SAM_STATUS_ORDER);                                           \
        EXPECT(prefix##begin(NULL, w, g, 0) == SAM_STATUS_NULL);                                   \
        EXPECT(prefix##begin(sam, NULL, g, 0) == SAM_STATUS_NULL);                                 \
        EXPECT(prefix##begin(sam, w, w, 0) == SAM_STATUS_OVERLAP);                                 \
        EXPECT(prefix##begin(sam, buffer, g, 0) == SAM_STATUS_OVERLAP);                            \
        EXPECT(prefix##begin(sam, w, (real *)((char *)g + 1), 0) == SAM_STATUS_UNALIGNED);         \
        EXPECT(prefix##begin(sam, w, g, 0) == SAM_STATUS_GRADIENT);                                \
        EXPECT(prefix##begin(sam, w, g, 0) == SAM_STATUS_ORDER);                                   \
        EXPECT(prefix##finish(sam, before, g, 0) == SAM_STATUS_WEIGHTS);                           \
        EXPECT(prefix##cancel(sam) == SAM_STATUS_OK);                                              \
        g[3] = (real)NAN;                                                                          \
        EXPECT(prefix##begin(sam, w, g, 0) == SAM_STATUS_NON_FINITE_CLEAN);                        \
        g[3] = 1;                                                                                  \
        EXPECT(prefix##begin(sam, w, g, (real)INFINITY) == SAM_STATUS_NON_FINITE_CLEAN);           \
        EXPECT(prefix##begin(sam, w, g, 0) == SAM_STATUS_GRADIENT);                                \
        g[3] = (real)NAN;                                                                          \
        EXPECT(prefix##finish(sam, w, g, 0) == SAM_STATUS_NON_FINITE_PERTURBED);                   \
        EXPECT(prefix##set_lr(sam, -1) == SAM_STATUS_LR);                                          \
        EXPECT(prefix##set_rho(sam, NAN) == SAM_STATUS_RHO);                                       \
        EXPECT(fabs((double)prefix##lr(sam) - 0.1) < 1e-7);                                        \
        EXPECT(memcmp(before, w, sizeof w) == 0);                                                  \
        for (size_t i = 0; i < prefix##state_reals(sam); i++)                                      \
            EXPECT(buffer[N + i] == 0);                                                            \
                                                                                                   \
        EXPECT(prefix##init(room, prefix##size() - 1, &settings, buffer, 2 * N, N, &other) == SAM_STATUS_TOO_SMALL); \
        EXPECT(prefix##init(room, prefix##size(), &settings, buffer, 2 * N - 1, N, &other) == SAM_STATUS_TOO_SMALL); \
        EXPECT(prefix##init(room, prefix##size(), NULL, buffer, 2 * N, N, &other) == SAM_STATUS_NULL); \
        EXPECT(prefix##init(room, prefix##size(), &settings, buffer, 2 * N, SIZE_MAX, &other) == SAM_STATUS_TOO_LARGE); \
        bad = settings, bad.method = 9;                                                            \
        EXPECT(prefix##init(room, prefix##size(), &bad, buffer, 2 * N, N, &other) == SAM_STATUS_METHOD); \
        EXPECT(prefix##words(&bad, N) == SIZE_MAX);                                                \
        bad = settings, bad.base = 9;                                                              \
        EXPECT(prefix##init(room, prefix##size(), &bad, buffer, 2 * N, N, &other) == SAM_STATUS_BASE); \
        bad = settings, bad.rho = -1;                                                              \
        EXPECT(prefix##init(room, prefix##size(), &bad, buffer, 2 * N, N, &other) == SAM_STATUS_RHO); \
        bad = settings, bad.momentum = 2;                                                          \
        EXPECT(prefix##init(room, prefix##size(), &bad, buffer, 2 * N, N, &other) == SAM_STATUS_MOMENTUM); \
        EXPECT(other == NULL);                                                                     \
        free(room);                                                                                \
        free(memory);                                                                              \
        free(buffer);                                                                              \
    }

PRECISION(float, SamF32, sam_f32_, 2e-5)
PRECISION(double, SamF64, sam_f64_, 1e-12)

int main(void) {
    for (uint32_t method = SAM_METHOD_SAM; method <= SAM_METHOD_LOOKSAM; method++)
        for (uint32_t base = SAM_BASE_SGD; base <= SAM_BASE_ADAM; base++) {
            sam_f32_learns(method, base);
            sam_f64_learns(method, base);
            sam_f32_resumes(method, base);
            sam_f64_resumes(method, base);
        }
    sam_f32_is_sam();
    sam_f64_is_sam();
    sam_f32_refuses();
    sam_f64_refuses();
    EXPECT(strstr(sam_status_text(SAM_STATUS_LR), "`lr`") != NULL);
    return 0;
}
