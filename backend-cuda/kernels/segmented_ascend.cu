// perturbed = w + eps-hat, segment by segment.
#include "ascend.cuh"
#include "segments.cuh"
#include "split.cuh"
#include "vector.cuh"

constexpr int THREADS = 256;

// One block a piece. `whole` is the norm of all segments; with `own` each is scaled by its own of `norms`.
extern "C" __global__ void __launch_bounds__(THREADS) segmented_ascend(
    const float* w, const float* g, const Piece* pieces, const Rule* rule, const Norm* whole, const Norm* norms, int own,
    int exponent_kind, int adaptive, double exponent, float* perturbed) {
    __shared__ Norm norm;
    const Piece piece = pieces[blockIdx.x];
    const float rho = rule->rho * piece.radius;
    const int scaled = adaptive && piece.adaptive;
    if (threadIdx.x == 0) {
        norm = own ? norms[piece.segment] : *whole;
        if (whole->verdict == NON_FINITE) norm.verdict = NON_FINITE;
        if (exponent_kind == P_OTHER) {
            norm.factor = double(rho) / norm.divisor;
        } else if (norm.verdict == FINITE) {
            split(&norm, rho, most_unit_exponent(scaled));
        }
    }
    __syncthreads();
    const unsigned int end = piece.first + piece.len;
    const Norm known = norm;
    if (rho == 0.0f || known.verdict != FINITE) {
        sweep<THREADS>(piece.first, end, [](unsigned int, float w, float& to) { to = w; }, w, perturbed);
    } else if (exponent_kind == P_TWO && !scaled) {
        const auto ascend = [=](unsigned int, float w, float g, float& to) { to = w + along(g, known); };
        sweep<THREADS>(piece.first, end, ascend, w, g, perturbed);
    } else {
        // One by one: most of the time goes into computing them.
        for (unsigned int i = piece.first + threadIdx.x; i < end; i += THREADS)
            perturbed[i] = raised(i, w[i], g[i], rho, rule->eta, known, exponent_kind, scaled, exponent);
    }
}
