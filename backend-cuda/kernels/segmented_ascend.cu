// perturbed = w + eps-hat, segment by segment.
#include "ascend.cuh"
#include "segments.cuh"
#include "split.cuh"

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
    const bool stays = rho == 0.0f || norm.verdict != FINITE;
    for (unsigned int i = piece.first + threadIdx.x; i < piece.first + piece.len; i += THREADS) {
        const float weight = w[i];
        perturbed[i] = stays ? weight : raised(i, weight, g[i], rho, rule->eta, norm, exponent_kind, scaled, exponent);
    }
}
