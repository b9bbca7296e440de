// The dual norm ||T g||_q, T = 1 or |w| + eta, in one sweep over w and g (p = 2, inf, 1) or two (other p).
//
// Terms and sums are doubles: squares of floats neither over- nor underflow there. The vector is cut into chunks of
// CHUNK entries whatever the grid is, a chunk's threads and the chunks are added in a fixed order: the same bits on
// every card.
#include "power.cuh"
#include "reduce.cuh"
#include "rule.cuh"

constexpr int THREADS = 256;
constexpr unsigned int CHUNK = 4096;
constexpr int MOST_UNIT_EXPONENT_FLOAT = 126;
constexpr int MOST_UNIT_EXPONENT_DOUBLE = 1022;

// A sum, or the largest entry with its index; of equals the first.
struct Partial {
    double value;
    unsigned int index;
    unsigned int unused;
};

enum Goal { SQUARES, ABSOLUTES, PEAK, POWERS };

static __device__ Partial larger(Partial a, Partial b) {
    // The bits of non-negative numbers order like the numbers, with infinity and NaN on top.
    const unsigned long long x = __double_as_longlong(a.value), y = __double_as_longlong(b.value);
    return x > y || (x == y && a.index < b.index) ? a : b;
}

static __device__ Partial sum(Partial a, Partial b) { return {a.value + b.value, 0, 0}; }

static __device__ Partial join(int goal, Partial a, Partial b) { return goal == PEAK ? larger(a, b) : sum(a, b); }

// One block a chunk.
extern "C" __global__ void __launch_bounds__(THREADS) norm_sweep(
    const float* w, const float* g, unsigned int n, const Rule* rule, int adaptive, int goal, double q,
    const Norm* norm, Partial* partials) {
    __shared__ Partial shared[THREADS];
    const double eta = adaptive ? double(rule->eta) : 0.0;
    const double peak = goal == POWERS ? norm->scale : 1.0;
    const bool idle = goal == POWERS && norm->verdict != FINITE;
    Partial own = {0.0, 0xffffffff, 0};
    const unsigned int first = blockIdx.x * CHUNK;
    for (unsigned int i = first + threadIdx.x; i < n && i < first + CHUNK && !idle; i += THREADS) {
        double x = fabs(double(g[i]));
        if (adaptive) x = (fabs(double(w[i])) + eta) * x;
        switch (goal) {
            case SQUARES: own.value += x * x; break;
            case ABSOLUTES: own.value += x; break;
            case PEAK: own = larger(own, {x, i, 0}); break;
            case POWERS: own.value += power(x / peak, q); break;
        }
    }
    const Partial all = fold<THREADS>(own, shared, [=](Partial a, Partial b) { return join(goal, a, b); });
    if (threadIdx.x == 0) partials[blockIdx.x] = all;
}

// floor(log2(x)) of a positive finite number.
static __device__ int exponent(double x) {
    const int biased = int(__double_as_longlong(x) >> 52) & 0x7ff;
    if (biased != 0) return biased - 1023;
    return (int(__double_as_longlong(x * 18446744073709551616.0) >> 52) & 0x7ff) - 1023 - 64;
}

static __device__ double power_of_two(int k) { return __longlong_as_double((long long)(k + 1023) << 52); }

// rho / norm as a power of two times a rest.
static __device__ void split(Norm* norm, double rho, int most) {
    int k = -(exponent(norm->scale) + exponent(norm->scaled));
    k = k < -most ? -most : k > most ? most : k;
    norm->unit = power_of_two(k);
    norm->factor = rho / (norm->scaled * (norm->scale * norm->unit));
}

// One block. Makes the norm of the partials; for other p it comes twice, first for the peak. `finite` is the
// gradient's own flag: what the base optimizer asks before it steps.
extern "C" __global__ void __launch_bounds__(THREADS) norm_finish(
    const Partial* partials, unsigned int count, const Rule* rule, int adaptive, int goal, double p, double q,
    Norm* norm, unsigned int* finite) {
    __shared__ Partial shared[THREADS];
    Partial own = {0.0, 0xffffffff, 0};
    for (unsigned int i = threadIdx.x; i < count; i += THREADS) own = join(goal, own, partials[i]);
    const Partial all = fold<THREADS>(own, shared, [=](Partial a, Partial b) { return join(goal, a, b); });
    if (threadIdx.x != 0) return;

    if (goal == POWERS) {
        if (norm->verdict != FINITE) return;
        norm->scaled = power(all.value, 1.0 / q);
        norm->divisor = power(all.value, 1.0 / p);
        norm->factor = double(rule->rho) / norm->divisor;
        return;
    }
    const unsigned int verdict = !isfinite(all.value) ? NON_FINITE : all.value > 0.0 ? FINITE : ZERO;
    norm->verdict = verdict;
    *finite = verdict != NON_FINITE;
    norm->index = all.index;
    norm->scale = 1.0;
    norm->scaled = norm->divisor = all.value;
    norm->unit = norm->factor = 0.0;
    if (verdict != FINITE) return;
    if (goal == SQUARES) {
        norm->scaled = norm->divisor = sqrt(all.value);
        split(norm, rule->rho, adaptive ? MOST_UNIT_EXPONENT_DOUBLE : MOST_UNIT_EXPONENT_FLOAT);
    } else if (goal == ABSOLUTES) {
        norm->divisor = 1.0;
    } else {
        norm->scale = all.value;
        norm->scaled = norm->divisor = 1.0;
    }
}
