// Dual norms of segments, or of all of them together, in the sweeps of norm.cu.
#include "norm.cuh"
#include "reduce.cuh"
#include "segments.cuh"

// One block a piece. With `own` the norms are the segments', one after the other, else there is one of all.
extern "C" __global__ void __launch_bounds__(THREADS) segmented_sweep(
    const float* w, const float* g, const Piece* pieces, const Rule* rule, int adaptive, int own, int goal, double q,
    const Norm* norms, Partial* partials) {
    __shared__ Partial shared[THREADS];
    const Piece piece = pieces[blockIdx.x];
    const Norm& norm = norms[own ? piece.segment : 0];
    const bool scaled = adaptive && piece.adaptive;
    const double eta = scaled ? double(rule->eta) : 0.0;
    const double peak = goal == POWERS ? norm.scale : 1.0;
    const bool idle = goal == POWERS && norm.verdict != FINITE;
    Partial found = NOTHING;
    const unsigned int end = piece.first + (idle ? 0 : piece.len);
    if (scaled && piece.radius != 0.0f) {
        const auto take = [&](unsigned int i, float w, float g) {
            take_in(goal, q, peak, (fabs(double(w)) + eta) * fabs(double(g)), i, found);
        };
        sweep<THREADS>(piece.first, end, take, w, g);
    } else {
        // What is left out is still part of the gradient, which must be finite.
        const bool left_out = piece.radius == 0.0f;
        const auto take = [&](unsigned int i, float g) {
            if (!left_out || !isfinite(g)) take_in(goal, q, peak, fabs(double(g)), i, found);
        };
        sweep<THREADS>(piece.first, end, take, g);
    }
    const Partial all = fold<THREADS>(found, shared, [=](Partial a, Partial b) { return join(goal, a, b); });
    if (threadIdx.x == 0) partials[blockIdx.x] = all;
}

// One block a norm. `finite`, unless null, is the gradient's own flag.
extern "C" __global__ void __launch_bounds__(THREADS) segmented_finish(
    const Partial* partials, const Pieces* of_norms, const Rule* rule, int goal, double p, double q, Norm* norms,
    unsigned int* finite) {
    __shared__ Partial shared[THREADS];
    const Pieces pieces = of_norms[blockIdx.x];
    Partial found = NOTHING;
    for (unsigned int i = threadIdx.x; i < pieces.count; i += THREADS)
        found = join(goal, found, partials[pieces.first + i]);
    const Partial all = fold<THREADS>(found, shared, [=](Partial a, Partial b) { return join(goal, a, b); });
    // The ascent works out unit and factor for the radius of each segment.
    if (threadIdx.x == 0) conclude(all, goal, p, q, rule->rho, MOST_UNIT_EXPONENT_DOUBLE, norms + blockIdx.x, finite);
}
