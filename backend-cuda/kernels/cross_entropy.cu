// Softmax cross-entropy against labels smoothed by `smoothing` (Szegedy et al. 2016): the target is 1 - smoothing on the
// label plus smoothing / classes on every class. Of mixed images the label has a share of what is on it, and the partner's label
// the rest (Zhang et al. 2018). In double precision: there is little of it.
#include "element.cuh"
#include "reduce.cuh"

constexpr int THREADS = 32;      // of a sample
constexpr int SUMMING = 256;     // of the sum over samples

// Of a sample the loss and whether the largest logit is the label's; of a batch the mean and the number.
struct Result {
    double loss;
    unsigned int correct;
    unsigned int count;
};

struct Best {
    float logit;
    unsigned int index;
};

// The larger; of equals, the first. Index ~0 is none.
static __device__ Best better(Best a, Best b) {
    if (a.index == ~0u) return b;
    if (b.index == ~0u) return a;
    return b.logit > a.logit || (b.logit == a.logit && b.index < a.index) ? b : a;
}

static __device__ double add(double a, double b) { return a + b; }

// A block a sample. `partners`, unless null, has the labels of the images that these are mixed with, and `share` the labels' own
// share. `d_logits`, unless null, gets the gradient of the mean loss over gridDim.x samples.
extern "C" __global__ void __launch_bounds__(THREADS) KERNEL(cross_entropy)(
    const Element* logits, const unsigned int* labels, const unsigned int* partners, const double* share,
    unsigned int classes, double smoothing, Element* d_logits, Result* results) {
    __shared__ Best bests[THREADS];
    __shared__ double sums[THREADS];
    const Element* const own = logits + blockIdx.x * classes;
    const unsigned int label = labels[blockIdx.x];
    const unsigned int other = partners == nullptr ? label : partners[blockIdx.x];
    const double first = partners == nullptr ? 1.0 : *share;

    Best best = {0.0f, ~0u};
    double total = 0.0;
    for (unsigned int c = threadIdx.x; c < classes; c += THREADS) {
        best = better(best, {own[c], c});
        total += double(own[c]);
    }
    best = fold<THREADS>(best, bests, better);
    total = fold<THREADS>(total, sums, add);
    __syncthreads();
    double sum = 0.0;
    for (unsigned int c = threadIdx.x; c < classes; c += THREADS) sum += exp(double(own[c]) - double(best.logit));
    sum = fold<THREADS>(sum, sums, add);
    const double log_sum = double(best.logit) + log(sum);

    double logit = double(own[label]);
    if (partners != nullptr) logit = first * logit + (1.0 - first) * double(own[other]);
    const double loss = log_sum - (1.0 - smoothing) * logit - smoothing * (total / double(classes));
    if (threadIdx.x == 0) results[blockIdx.x] = {loss, best.index == label, 1};
    if (d_logits == nullptr) return;
    const double of_mean = 1.0 / double(gridDim.x);
    for (unsigned int c = threadIdx.x; c < classes; c += THREADS) {
        double on = c == label ? 1.0 - smoothing : 0.0;
        if (partners != nullptr) on = (1.0 - smoothing) * ((c == label ? first : 0.0) + (c == other ? 1.0 - first : 0.0));
        const double target = smoothing / double(classes) + on;
        // A softmax can saturate where its loss is infinite, and hide it: such a loss has no gradient.
        const double d = isfinite(loss) ? (exp(double(own[c]) - log_sum) - target) * of_mean : nan("");
        d_logits[blockIdx.x * classes + c] = float(d);
    }
}

static __device__ Result join(Result a, Result b) { return {a.loss + b.loss, a.correct + b.correct, a.count + b.count}; }

// One block.
extern "C" __global__ void __launch_bounds__(SUMMING) KERNEL(cross_entropy_mean)(
    const Result* results, unsigned int samples, Result* mean) {
    __shared__ Result shared[SUMMING];
    Result own = {0.0, 0, 0};
    for (unsigned int i = threadIdx.x; i < samples; i += SUMMING) own = join(own, results[i]);
    const Result all = fold<SUMMING>(own, shared, join);
    if (threadIdx.x == 0) *mean = {all.loss / double(samples), all.correct, all.count};
}
