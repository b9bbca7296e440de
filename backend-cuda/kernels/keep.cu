// What outlives a step, taken over only if the step goes through, which the gradient's flag says: the host is never told.

// to = from; `steps`, unless null, is counted on.
extern "C" __global__ void __launch_bounds__(256) keep(
    const float* from, unsigned int n, const unsigned int* finite, float* to, unsigned long long* steps) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n || *finite == 0) return;
    to[i] = from[i];
    if (i == 0 && steps != nullptr) *steps += 1;
}
