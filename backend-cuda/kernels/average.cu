// One more step's weights taken into their average, in sam-core's order of operations (compiled without contraction):
// the host's bits.

extern "C" __global__ void __launch_bounds__(256) average(float* mean, const float* w, unsigned int n, float share) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) mean[i] = mean[i] + (w[i] - mean[i]) * share;
}
