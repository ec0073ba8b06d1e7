/* fuzz_quarantine.c - any bytes as a quarantine file: it is refused, or what was read is whole and reads back the same. */
#include "abi/quarantine.h"

#include <stdlib.h>
#include <string.h>

static void init(hone_quarantine *q)
{
    memset(q, 0, sizeof *q);
    hone_arena_init(&q->arena, (size_t)64 << 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_quarantine q, again;
    hone_buf b, text;
    init(&q);
    init(&again);
    hone_buf_init(&b, (size_t)64 << 20);
    hone_buf_init(&text, (size_t)1 << 20);
    if (hone_quarantine_parse((const char *)data, size, "input", &q) == HONE_OK) {
        if (hone_quarantine_write(&q, &b) < 0 ||
            hone_quarantine_parse(b.ptr, b.len, "output", &again) < 0 || again.n != q.n)
            abort();
        for (size_t i = 0; i < q.n; i++) {
            const hone_quarantined *f = hone_quarantine_find(&q, q.files[i].sha256);
            if (f != &q.files[i] || !f->n || strcmp(f->path, again.files[i].path) != 0 ||
                again.files[i].count != f->count || again.files[i].n != f->n)
                abort();
            (void)hone_quarantine_judge(&q, "x.so", f->sha256, (int)(i & 1));
            (void)hone_death_text(&f->deaths[f->n - 1], &text);
        }
    }
    hone_quarantine_release(&q);
    hone_quarantine_release(&again);
    hone_buf_release(&b);
    hone_buf_release(&text);
    return 0;
}
