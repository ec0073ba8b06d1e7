/* fp.c - see fp.h. A thread inherits the mode of the one that made it. */
#include "base/fp.h"

#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

void hone_fp_setup(void)
{
#if defined(__x86_64__)
    const unsigned want = _mm_getcsr() | 0x8040u; /* flush to zero, denormals are zero */
    if (want != _mm_getcsr())
        _mm_setcsr(want);
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    if (!(fpcr >> 24 & 1))
        __asm__ volatile("msr fpcr, %0" ::"r"(fpcr | 1u << 24));
#endif
}
