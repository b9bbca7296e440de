// Friendly SAM's mean of gradients: what is taken out of a gradient, and the mean as it will be if the step goes through; in
// sam-core's order of operations (compiled without contraction): the host's bits.

// `steps` that have gone through so far: in the first there is no mean, and the gradient stays. `rest` is 1 - lambda.
extern "C" __global__ void __launch_bounds__(256) friendly(
    const float* mean, unsigned int n, const unsigned long long* steps, float sigma, float lambda, float rest, float* next,
    float* g) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float x = g[i];
    if (*steps == 0) {
        next[i] = x;
        return;
    }
    const float m = mean[i];
    next[i] = lambda * m + rest * x;
    if (sigma != 0.0f) g[i] = -sigma * m + x;
}
