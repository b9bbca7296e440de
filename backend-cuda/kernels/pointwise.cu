// Functions of one value, other than ReLU, and their gradients by the input. The backward kernels work in place on dy too.

static __device__ float logistic(float x) { return 1.0f / (1.0f + expf(-x)); }

extern "C" __global__ void __launch_bounds__(256) swish_forward(const float* x, unsigned int n, float* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i] * logistic(x[i]);
}

// Writes dx, or adds to it.
extern "C" __global__ void __launch_bounds__(256) swish_backward(
    const float* x, const float* dy, unsigned int n, int accumulate, float* dx) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float s = logistic(x[i]);
    const float d = dy[i] * (s * (1.0f + x[i] * (1.0f - s)));
    dx[i] = accumulate ? dx[i] + d : d;
}
