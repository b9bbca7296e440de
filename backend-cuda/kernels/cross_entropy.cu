// Softmax cross-entropy against labels smoothed by `smoothing` (Szegedy et al. 2016): the target is 1 - smoothing on the
// label plus smoothing / classes on every class. In double precision: there is little of it.
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

// A block a sample. `d_logits`, unless null, gets the gradient of the mean loss over gridDim.x samples.
extern "C" __global__ void __launch_bounds__(THREADS) cross_entropy(
    const float* logits, const unsigned int* labels, unsigned int classes, double smoothing, float* d_logits,
    Result* results) {
    __shared__ Best bests[THREADS];
    __shared__ double sums[THREADS];
    const float* const own = logits + blockIdx.x * classes;
    const unsigned int label = labels[blockIdx.x];

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

    const double loss = log_sum - (1.0 - smoothing) * double(own[label]) - smoothing * (total / double(classes));
    if (threadIdx.x == 0) results[blockIdx.x] = {loss, best.index == label, 1};
    if (d_logits == nullptr) return;
    const double share = 1.0 / double(gridDim.x);
    for (unsigned int c = threadIdx.x; c < classes; c += THREADS) {
        const double target = smoothing / double(classes) + (c == label ? 1.0 - smoothing : 0.0);
        // A softmax can saturate where its loss is infinite, and hide it: such a loss has no gradient.
        const double d = isfinite(loss) ? (exp(double(own[c]) - log_sum) - target) * share : nan("");
        d_logits[blockIdx.x * classes + c] = float(d);
    }
}

static __device__ Result join(Result a, Result b) { return {a.loss + b.loss, a.correct + b.correct, a.count + b.count}; }

// One block.
extern "C" __global__ void __launch_bounds__(SUMMING) cross_entropy_mean(
    const Result* results, unsigned int samples, Result* mean) {
    __shared__ Result shared[SUMMING];
    Result own = {0.0, 0, 0};
    for (unsigned int i = threadIdx.x; i < samples; i += SUMMING) own = join(own, results[i]);
    const Result all = fold<SUMMING>(own, shared, join);
    if (threadIdx.x == 0) *mean = {all.loss / double(samples), all.correct, all.count};
}
