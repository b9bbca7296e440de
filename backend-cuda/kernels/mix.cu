// y = a x + b y, as sam-core has it (compiled without contraction): the host's bits.

extern "C" __global__ void __launch_bounds__(256) mix(float a, const float* x, float b, unsigned int n, float* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + b * y[i];
}
