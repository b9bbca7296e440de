// max(x, 0). NaN stays NaN, so that it shows in the loss. Both kernels work in place too.

extern "C" __global__ void __launch_bounds__(256) relu_forward(const float* x, unsigned int n, float* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

// Writes dx, or adds to it: dy where the output y is not zero.
extern "C" __global__ void __launch_bounds__(256) relu_backward(
    const float* y, const float* dy, unsigned int n, int accumulate, float* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float d = y[i] == 0.0f ? 0.0f : dy[i];
    dx[i] = accumulate ? dx[i] + d : d;
}
