// A mean of gradients, one after the other, in sam-core's order of operations (compiled without contraction): the host's bits.

// to = sum + share g, the sum zero where there is none; NaN if the gradient that g was made from was not finite. `to` may be the
// sum or g.
extern "C" __global__ void __launch_bounds__(256) accumulate(
    const float* sum, const float* g, unsigned int n, float share, const unsigned int* finite, float* to) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float before = sum == nullptr ? 0.0f : sum[i];
    to[i] = *finite ? before + share * g[i] : nanf("");
}
