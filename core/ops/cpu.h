/* cpu.h - what this processor can do, and which kernel set runs on it.
 *
 * Sets of kernels are built from one source (core/ops/kern): plain C with fmaf everywhere, AVX2 and
 * AVX-512 for x86-64, NEON for AArch64. They give equal bits, so the choice is only a matter of
 * speed. The best one the processor and the operating system allow is taken, unless HONE_CPU names
 * another ("c", "avx2", "avx512", "neon"). Each family of kernels is a table of functions per set;
 * HONE_KERNEL_TABLES declares them, HONE_KERNEL_PICK gives the one in use (zlib-ng's functable). */
#ifndef HONE_CORE_OPS_CPU_H
#define HONE_CORE_OPS_CPU_H
#include "base/error.h"

/* The sets of this architecture, a better one later. */
#if defined(__x86_64__)
enum { HONE_CPU_C = 0, HONE_CPU_AVX2 = 1, HONE_CPU_AVX512 = 2, HONE_CPU_SETS = 3 };
#elif defined(__aarch64__)
enum { HONE_CPU_C = 0, HONE_CPU_NEON = 1, HONE_CPU_SETS = 2 };
#else
enum { HONE_CPU_C = 0, HONE_CPU_SETS = 1 };
#endif
#if !defined(__x86_64__)
enum { HONE_CPU_AVX2 = 101, HONE_CPU_AVX512 = 102 }; /* never there */
#endif

typedef struct hone_cpu {
    char vendor[16];                  /* "GenuineIntel", "AuthenticAMD", "Arm", or "" */
    char brand[64];                   /* "AMD EPYC ...", or "" */
    uint32_t family, model, stepping; /* AArch64: implementer, part, revision of MIDR_EL1 */
    uint8_t avx2, fma, f16c;          /* usable: the system saves the registers too */
    uint8_t avx512;                   /* F, BW, DQ, VL */
    uint8_t avx512_vnni, avx512_bf16, avx_vnni;
    uint8_t neon, dotprod; /* AArch64: Advanced SIMD; SDOT */
    size_t l1d, l2, l3;    /* bytes of one cache as the system tells, 0 = unknown */
    int best;              /* best set, HONE_CPU_* */
    int used;              /* the set in use */
    uint8_t sse42, avx;    /* of no kernel set; OpenBLAS has kernels for them */
} hone_cpu;

/* Found on the first call, then fixed. Never fails: a HONE_CPU that cannot be honoured leaves the
 * best set that can. [any-thread] */
const hone_cpu *hone_cpu_get(void);
/* E_USAGE when HONE_CPU names no set, E_UNSUPPORTED when it names one this machine lacks: for the
 * command line to stop on. [any-thread] */
hone_status hone_cpu_check(void);
/* "c", "avx2", "avx512", "neon"; "?" */
const char *hone_cpu_set_name(int set);
/* Tests and `hone bench`: switch sets while nothing runs. E_UNSUPPORTED if the machine lacks it. */
hone_status hone_cpu_use(int set);

/* In a kernel source, compiled once per set with -DHONE_KERN=c|avx2|avx512|neon: the set's own name
 * for a symbol, hone__k_<name>_<set>. */
#ifdef HONE_KERN
#define HONE_KFN__(name, set) hone__k_##name##_##set
#define HONE_KFN_(name, set) HONE_KFN__(name, set)
#define HONE_KFN(name) HONE_KFN_(name, HONE_KERN)
#endif

/* extern const T hone__k_<name>_{c,avx2,avx512} or _{c,neon}; and a pointer to the one in use. */
#if defined(__x86_64__)
#define HONE_KERNEL_TABLES(T, name)                                                                \
    extern const T hone__k_##name##_c;                                                             \
    extern const T hone__k_##name##_avx2;                                                          \
    extern const T hone__k_##name##_avx512
#define HONE_KERNEL_OF(name, set)                                                                  \
    ((set) == HONE_CPU_AVX512 ? &hone__k_##name##_avx512                                           \
     : (set) == HONE_CPU_AVX2 ? &hone__k_##name##_avx2                                             \
                              : &hone__k_##name##_c)
#elif defined(__aarch64__)
#define HONE_KERNEL_TABLES(T, name)                                                                \
    extern const T hone__k_##name##_c;                                                             \
    extern const T hone__k_##name##_neon
#define HONE_KERNEL_OF(name, set)                                                                  \
    ((set) == HONE_CPU_NEON ? &hone__k_##name##_neon : &hone__k_##name##_c)
#else
#define HONE_KERNEL_TABLES(T, name) extern const T hone__k_##name##_c
#define HONE_KERNEL_OF(name, set) ((void)(set), &hone__k_##name##_c)
#endif
#define HONE_KERNEL_PICK(name) HONE_KERNEL_OF(name, hone_cpu_get()->used)
#endif
