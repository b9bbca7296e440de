// The dual norm ||T g||_q, T = 1 or |w| + eta, in one sweep over w and g (p = 2, inf, 1) or two (other p).
//
// Terms and sums are doubles: squares of floats neither over- nor underflow there. The vector is cut into chunks of
// CHUNK entries whatever the grid is, a chunk's threads and the chunks are added in a fixed order: the same bits on
// every card.
#include "norm.cuh"
#include "reduce.cuh"

// One block a chunk.
extern "C" __global__ void __launch_bounds__(THREADS) norm_sweep(
    const float* w, const float* g, unsigned int n, const Rule* rule, int adaptive, int goal, double q,
    const Norm* norm, Partial* partials) {
    __shared__ Partial shared[THREADS];
    const double eta = adaptive ? double(rule->eta) : 0.0;
    const double peak = goal == POWERS ? norm->scale : 1.0;
    const bool idle = goal == POWERS && norm->verdict != FINITE;
    Partial own = NOTHING;
    const unsigned int first = blockIdx.x * CHUNK;
    const unsigned int end = idle ? first : min(n - first, CHUNK) + first;
    if (adaptive) {
        const auto take = [&](unsigned int i, float w, float g) {
            take_in(goal, q, peak, (fabs(double(w)) + eta) * fabs(double(g)), i, own);
        };
        sweep<THREADS>(first, end, take, w, g);
    } else {
        sweep<THREADS>(first, end, [&](unsigned int i, float g) { take_in(goal, q, peak, fabs(double(g)), i, own); }, g);
    }
    const Partial all = fold<THREADS>(own, shared, [=](Partial a, Partial b) { return join(goal, a, b); });
    if (threadIdx.x == 0) partials[blockIdx.x] = all;
}

// One block. Makes the norm of the partials; for other p it comes twice, first for the peak. `finite` is the
// gradient's own flag: what the base optimizer asks before it steps.
extern "C" __global__ void __launch_bounds__(THREADS) norm_finish(
    const Partial* partials, unsigned int count, const Rule* rule, int adaptive, int goal, double p, double q,
    Norm* norm, unsigned int* finite) {
    __shared__ Partial shared[THREADS];
    Partial own = NOTHING;
    for (unsigned int i = threadIdx.x; i < count; i += THREADS) own = join(goal, own, partials[i]);
    const Partial all = fold<THREADS>(own, shared, [=](Partial a, Partial b) { return join(goal, a, b); });
    if (threadIdx.x != 0) return;
    conclude(all, goal, p, q, rule->rho, most_unit_exponent(adaptive), norm, finite);
}
