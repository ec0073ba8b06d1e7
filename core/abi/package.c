/* package.c - see package.h. Source: POSIX.1-1988 ustar; RFC 8878 (through libzstd). */
#include "abi/package.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <zstd.h>

enum { BLOCK = 512, TAR_MAX = 256 << 20 };

static hone_status bad(const char *place, const char *why)
{
    hone_fail(HONE_E_PARSE, "%s: is no package of hone: %s", place, why);
    return hone_fail_hint("hone plugin pack makes one");
}

/* NAME of "NAME.so"; 0 when it is not one of the three endings, or no plain name. */
static int split(const char *member, char name[64], const char **ending)
{
    const char *dot = strrchr(member, '.');
    size_t n = dot ? (size_t)(dot - member) : 0;
    if (n == 0 || n >= 64 || member[0] == '.' ||
        strspn(member, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.") !=
            strlen(member))
        return 0;
    memcpy(name, member, n);
    name[n] = 0;
    *ending = dot + 1;
    return strcmp(*ending, "so") == 0 || strcmp(*ending, "json") == 0 ||
           strcmp(*ending, "sig") == 0;
}

/* A field of octal digits, ended by space or NUL. */
static int octal(const unsigned char *p, size_t n, uint64_t *out)
{
    uint64_t x = 0;
    size_t i = 0;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        x = x * 8 + (uint64_t)(p[i] - '0');
    if (i == 0)
        return 0;
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != 0)
            return 0;
    *out = x;
    return 1;
}

static uint64_t checksum(const unsigned char *h)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : h[i];
    return sum;
}

hone_status hone_package_members(hone_str tar, const char *place, hone_package *out)
{
    static const unsigned char zero[BLOCK];
    hone_package p;
    size_t at = 0;
    memset(&p, 0, sizeof p);
    for (;;) {
        const unsigned char *h = (const unsigned char *)tar.ptr + at;
        char member[101], name[64];
        const char *ending;
        uint64_t size, sum;
        if (tar.len - at < BLOCK)
            return bad(place, "it is cut");
        if (memcmp(h, zero, BLOCK) == 0)
            break;
        memcpy(member, h, 100);
        member[100] = 0;
        if (!octal(h + 148, 8, &sum) || sum != checksum(h))
            return bad(place, "a header's sum is wrong");
        if (!octal(h + 124, 12, &size))
            return bad(place, "a size is no number");
        if ((h[156] != '0' && h[156] != 0) || h[345] != 0 || !split(member, name, &ending))
            return bad(place, "it holds something else than NAME.so, NAME.json and NAME.sig");
        at += BLOCK;
        if (size == 0 || size > TAR_MAX || size > tar.len - at)
            return bad(place, "a member's size lies outside");
        if (p.name[0] && strcmp(p.name, name) != 0)
            return bad(place, "its members are of different plugins");
        memcpy(p.name, name, sizeof p.name);
        hone_str *to = strcmp(ending, "so") == 0     ? &p.so
                       : strcmp(ending, "json") == 0 ? &p.sidecar
                                                     : &p.signature;
        if (to->ptr)
            return bad(place, "a member is there twice");
        to->ptr = tar.ptr + at;
        to->len = (size_t)size;
        size_t padded = ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
        if (padded > tar.len - at)
            return bad(place, "it is cut");
        at += padded;
    }
    if (!p.so.ptr || !p.sidecar.ptr)
        return bad(place, "the plugin or its sidecar is missing");
    *out = p;
    return HONE_OK;
}

hone_status hone_package_read(const void *bytes, size_t n, const char *place, hone_buf *tar,
                              hone_package *out)
{
    char *piece = hone_alloc(1 << 16);
    ZSTD_DStream *z = ZSTD_createDStream();
    hone_status s = piece && z ? HONE_OK : HONE_E_NOMEM;
    size_t left = 1;
    ZSTD_inBuffer in = {bytes, n, 0};
    while (s >= 0 && in.pos < in.size) {
        ZSTD_outBuffer o = {piece, 1 << 16, 0};
        left = ZSTD_decompressStream(z, &o, &in);
        if (ZSTD_isError(left))
            s = bad(place, "it is not compressed with zstd, or damaged");
        else if (tar->len + o.pos > TAR_MAX)
            s = hone_fail(HONE_E_LIMIT, "%s: larger than 256 MiB unpacked", place);
        else
            s = hone_buf_add(tar, piece, o.pos);
    }
    while (s >= 0 && left != 0) { /* what the decoder still holds */
        ZSTD_outBuffer o = {piece, 1 << 16, 0};
        left = ZSTD_decompressStream(z, &o, &in);
        if (ZSTD_isError(left) || (left != 0 && o.pos == 0))
            s = bad(place, "it is cut");
        else if (tar->len + o.pos > TAR_MAX)
            s = hone_fail(HONE_E_LIMIT, "%s: larger than 256 MiB unpacked", place);
        else
            s = hone_buf_add(tar, piece, o.pos);
    }
    ZSTD_freeDStream(z);
    hone_free(piece);
    return s < 0 ? s : hone_package_members(hone_buf_str(tar), place, out);
}

static hone_status add_member(hone_buf *tar, const char *name, const char *ending, hone_str what)
{
    static const char zero[BLOCK];
    unsigned char h[BLOCK];
    char member[101], sum[8];
    memset(h, 0, sizeof h);
    snprintf(member, sizeof member, "%s.%s", name, ending);
    memcpy(h, member, strlen(member));
    memcpy(h + 100, "0000644", 8); /* no owner, no time: the same files give the same package */
    memcpy(h + 108, "0000000", 8);
    memcpy(h + 116, "0000000", 8);
    char size[16];
    snprintf(size, sizeof size, "%011llo", (unsigned long long)what.len);
    memcpy(h + 124, size, 12);
    memcpy(h + 136, "00000000000", 12);
    h[156] = '0';
    memcpy(h + 257, "ustar", 6);
    memcpy(h + 263, "00", 2);
    snprintf(sum, sizeof sum, "%06llo", (unsigned long long)checksum(h));
    memcpy(h + 148, sum, 7);
    h[155] = ' ';
    hone_buf_add(tar, h, BLOCK);
    hone_buf_add(tar, what.ptr, what.len);
    return hone_buf_add(tar, zero, (BLOCK - what.len % BLOCK) % BLOCK);
}

hone_status hone_package_write(const hone_package *p, hone_buf *out)
{
    static const char end[2 * BLOCK];
    char member[80], name[64];
    const char *ending;
    hone_package again;
    hone_buf tar;
    snprintf(member, sizeof member, "%s.so", p->name);
    if (!split(member, name, &ending) || strcmp(name, p->name) != 0)
        return hone_fail(HONE_E_INVALID, "\"%.63s\" cannot name a package", p->name);
    hone_buf_init(&tar, TAR_MAX);
    add_member(&tar, name, "so", p->so);
    add_member(&tar, name, "json", p->sidecar);
    if (p->signature.len)
        add_member(&tar, name, "sig", p->signature);
    hone_buf_add(&tar, end, sizeof end);
    hone_status s = hone_buf_check(&tar, "package");
    if (s >= 0)
        s = hone_package_members(hone_buf_str(&tar), "package", &again);
    size_t room = s >= 0 ? ZSTD_compressBound(tar.len) : 0;
    if (s >= 0)
        s = hone_buf_reserve(out, room);
    if (s >= 0) {
        size_t n = ZSTD_compress(out->ptr + out->len, room, tar.ptr, tar.len, 10);
        if (ZSTD_isError(n))
            s = hone_fail(HONE_E_FAIL, "package: %s", ZSTD_getErrorName(n));
        else
            out->len += n;
    }
    hone_buf_release(&tar);
    return s;
}
