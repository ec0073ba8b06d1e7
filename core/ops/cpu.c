/* cpu.c - CPUID and XGETBV, or what Linux says of an AArch64, read once.
 *
 * A feature counts only when the operating system saves its registers (XCR0; HWCAP), so a kernel that is
 * chosen can never fault. Source: Intel SDM vol. 1 ch. 13-15; AMD APM vol. 3, appendix E; Linux's
 * "ARM64 ELF hwcaps" and "ARM64 CPU Feature Registers". */
#include "ops/cpu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static hone_cpu cpu;
static pthread_once_t once = PTHREAD_ONCE_INIT;
#if defined(__x86_64__)
static const char *const set_names[HONE_CPU_SETS] = {"c", "avx2", "avx512"};
#elif defined(__aarch64__)
static const char *const set_names[HONE_CPU_SETS] = {"c", "neon"};
#else
static const char *const set_names[HONE_CPU_SETS] = {"c"};
#endif

static size_t cache_size(int name)
{
    long n = sysconf(name);
    return n > 0 ? (size_t)n : 0;
}

#if defined(__x86_64__)
static uint64_t xgetbv0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static void detect(hone_cpu *c)
{
    unsigned a, b, d, r, most = __get_cpuid_max(0, NULL);
    if (most < 1)
        return;
    __cpuid(0, a, b, r, d);
    memcpy(c->vendor, &b, 4);
    memcpy(c->vendor + 4, &d, 4);
    memcpy(c->vendor + 8, &r, 4);
    __cpuid(1, a, b, r, d);
    c->stepping = a & 15;
    c->model = (a >> 4 & 15) | (a >> 12 & 0xf0);
    c->family = (a >> 8 & 15) == 15 ? 15 + (a >> 20 & 255) : a >> 8 & 15;
    const unsigned leaf1 = r;
    c->sse42 = leaf1 >> 20 & 1;
    if (__get_cpuid_max(0x80000000u, NULL) >= 0x80000004u)
        for (unsigned i = 0; i < 3; i++) {
            unsigned q[4];
            __cpuid(0x80000002u + i, q[0], q[1], q[2], q[3]);
            memcpy(c->brand + 16 * i, q, 16);
        }
    if (!(leaf1 >> 27 & 1) || most < 7) /* OSXSAVE */
        return;
    const uint64_t xcr0 = xgetbv0();
    __cpuid_count(7, 0, a, b, r, d);
    const unsigned b7 = b, c7 = r;
    __cpuid_count(7, 1, a, b, r, d);
    const unsigned a71 = a;
    if ((xcr0 & 0x6) != 0x6 || !(leaf1 >> 28 & 1)) /* ymm, AVX */
        return;
    c->avx = 1;
    c->fma = leaf1 >> 12 & 1;
    c->f16c = leaf1 >> 29 & 1;
    c->avx2 = b7 >> 5 & 1;
    c->avx_vnni = a71 >> 4 & 1;
    if (c->avx2 && c->fma && c->f16c)
        c->best = HONE_CPU_AVX2;
    if ((xcr0 & 0xe6) != 0xe6) /* opmask, zmm */
        return;
    c->avx512 = (b7 >> 16 & 1) && (b7 >> 30 & 1) && (b7 >> 17 & 1) && (b7 >> 31 & 1);
    c->avx512_vnni = c->avx512 && (c7 >> 11 & 1);
    c->avx512_bf16 = c->avx512 && (a71 >> 5 & 1);
    if (c->best == HONE_CPU_AVX2 && c->avx512)
        c->best = HONE_CPU_AVX512;
}
#elif defined(__aarch64__)
static void detect(hone_cpu *c)
{
    static const struct {
        uint32_t code;
        const char *name;
    } makers[] = {{0x41, "Arm"},      {0x46, "Fujitsu"}, {0x48, "HiSilicon"}, {0x4e, "NVIDIA"},
                  {0x51, "Qualcomm"}, {0x61, "Apple"},   {0x6d, "Microsoft"}, {0xc0, "Ampere"}};
    const unsigned long caps = getauxval(AT_HWCAP);
    c->neon = (caps & HWCAP_ASIMD) != 0;
    c->dotprod = c->neon && (caps & HWCAP_ASIMDDP) != 0;
    if (c->neon)
        c->best = HONE_CPU_NEON;
    if (!(caps & HWCAP_CPUID)) /* the system answers reads of the register below */
        return;
    uint64_t midr;
    __asm__("mrs %0, midr_el1" : "=r"(midr));
    c->family = midr >> 24 & 255;
    c->model = midr >> 4 & 0xfff;
    c->stepping = midr & 15;
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        if (makers[i].code == c->family)
            memcpy(c->vendor, makers[i].name, strlen(makers[i].name) + 1);
    snprintf(c->brand, sizeof c->brand, "%s%spart 0x%03x, revision %u", c->vendor,
             c->vendor[0] ? " " : "", c->model, c->stepping);
}
#else
static void detect(hone_cpu *c)
{
    (void)c;
}
#endif

/* The set HONE_CPU asks for: -1 unset or empty, -2 unknown. */
static int asked(void)
{
    const char *z = getenv("HONE_CPU");
    if (!z || !*z)
        return -1;
    for (int i = 0; i < HONE_CPU_SETS; i++)
        if (strcmp(z, set_names[i]) == 0)
            return i;
    return -2;
}

static void init(void)
{
    cpu.best = HONE_CPU_C;
    detect(&cpu);
    cpu.l1d = cache_size(_SC_LEVEL1_DCACHE_SIZE);
    cpu.l2 = cache_size(_SC_LEVEL2_CACHE_SIZE);
    cpu.l3 = cache_size(_SC_LEVEL3_CACHE_SIZE);
    const int want = asked();
    cpu.used = want >= 0 && want <= cpu.best ? want : cpu.best;
}

const hone_cpu *hone_cpu_get(void)
{
    pthread_once(&once, init);
    return &cpu;
}

const char *hone_cpu_set_name(int set)
{
    return set >= 0 && set < HONE_CPU_SETS ? set_names[set] : "?";
}

hone_status hone_cpu_check(void)
{
    const int want = asked();
    if (want == -2) {
        hone_fail(HONE_E_USAGE, "HONE_CPU: \"%s\" is no kernel set", getenv("HONE_CPU"));
        char names[64] = "";
        for (int i = 0; i < HONE_CPU_SETS; i++)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "",
                     set_names[i]);
        return hone_fail_hint("one of %s; unset it to take the best", names);
    }
    if (want > hone_cpu_get()->best) {
        hone_fail(HONE_E_UNSUPPORTED, "HONE_CPU: this machine cannot run the kernel set %s",
                  set_names[want]);
        return hone_fail_hint("its best is %s", set_names[cpu.best]);
    }
    return HONE_OK;
}

hone_status hone_cpu_use(int set)
{
    if (set < 0 || set > hone_cpu_get()->best)
        return hone_fail(HONE_E_UNSUPPORTED, "this machine cannot run the kernel set %s",
                         hone_cpu_set_name(set));
    cpu.used = set;
    return HONE_OK;
}
