// Gradient of Rosenbrock's function (1960) in n dimensions: f = sum over i < n - 1 of 100 (w[i+1] - w[i]^2)^2 + (1 - w[i])^2.

extern "C" __global__ void rosenbrock_gradient(const float* w, unsigned int n, float* g) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float slope = 0.0f;
    if (i + 1 < n) slope += -400.0f * w[i] * (w[i + 1] - w[i] * w[i]) - 2.0f * (1.0f - w[i]);
    if (i > 0) slope += 200.0f * (w[i] - w[i - 1] * w[i - 1]);
    g[i] = slope;
}
