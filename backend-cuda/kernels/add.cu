// Sums of tensors; `y` may be one of the terms.

extern "C" __global__ void __launch_bounds__(256) add(const float* a, const float* b, unsigned int n, float* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a[i] + b[i];
}
