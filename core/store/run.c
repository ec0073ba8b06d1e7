/* run.c - the run directory (see run.h).
 *
 * Appended files are opened O_APPEND and written record by record with one write each; the checkpoint
 * holds their lengths. Leftover ".tmp-" folders of killed checkpoint writes are removed when the run is
 * opened. Source of the layout: architecture.md, "Run directory". */
#include "store/run.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>
#include <zstd.h>

enum { METRICS, TIMINGS, ROLLOUTS, LOG, N_FILES };
static const char *const file_names[N_FILES] = {"metrics.jsonl", "timings.jsonl",
                                                "rollouts.jsonl.zst", "log.txt"};

struct hone_run {
    char *dir;
    int lock_fd;
    int fd[N_FILES];
    uint64_t size[N_FILES];
    char *ckpt_tmp; /* folder of the checkpoint being written, or NULL */
    uint64_t ckpt_step;
};

static void clean_name(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; *name && n + 1 < size && n < 64; name++) {
        char c = *name;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        int ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                 (c == '.' && n > 0);
        out[n++] = ok ? c : '-';
    }
    if (n == 0)
        out[n++] = 'x';
    out[n] = '\0';
}

char *hone_run_path(const hone_run *run, const char *name)
{
    return hone_path_join(run->dir, name);
}

const char *hone_run_dir(const hone_run *run)
{
    return run->dir;
}

static hone_status open_files(hone_run *run)
{
    for (int i = 0; i < N_FILES; i++) {
        char *path = hone_run_path(run, file_names[i]);
        if (!path)
            return HONE_E_NOMEM;
        run->fd[i] = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (run->fd[i] < 0) {
            hone_status s = hone_fail_errno("cannot open %s", path);
            hone_free(path);
            return s;
        }
        hone_status s = hone_file_size(path, &run->size[i]);
        hone_free(path);
        if (s < 0)
            return s;
    }
    return HONE_OK;
}

static hone_status take_lock(hone_run *run)
{
    char *path = hone_run_path(run, ".lock");
    if (!path)
        return HONE_E_NOMEM;
    run->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    hone_status s = HONE_OK;
    if (run->lock_fd < 0) {
        s = hone_fail_errno("cannot open %s", path);
    } else if (flock(run->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        s = hone_fail(HONE_E_STATE, "%s is in use by another process", run->dir);
        hone_fail_hint("wait for it to end, or stop it; a run directory has one writer");
    }
    hone_free(path);
    return s;
}

static hone_run *run_new(const char *dir)
{
    hone_run *run = hone_calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->lock_fd = -1;
    for (int i = 0; i < N_FILES; i++)
        run->fd[i] = -1;
    run->dir = hone_strdup(dir);
    if (!run->dir) {
        hone_free(run);
        return NULL;
    }
    return run;
}

hone_status hone_run_create(const char *runs_dir, const char *name, const char *exact_dir,
                            hone_run **out)
{
    char clean[80], date[16], leaf[160];
    char *dir = NULL;
    hone_status s;
    if (exact_dir) {
        dir = hone_strdup(exact_dir);
        if (!dir)
            return HONE_E_NOMEM;
        if (hone_file_exists(dir)) {
            s = hone_fail(HONE_E_EXISTS, "%s is already there", dir);
            hone_fail_hint("choose another --run-dir, or continue it with: hone resume %s", dir);
            hone_free(dir);
            return s;
        }
    } else {
        clean_name(name, clean, sizeof clean);
        hone_date_utc(date);
        for (int tries = 0;; tries++) {
            uint16_t r = 0;
            if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
                r = (uint16_t)(hone_now_ns() >> 7);
            snprintf(leaf, sizeof leaf, "%s-%s-%04x", clean, date, r);
            dir = hone_path_join(runs_dir, leaf);
            if (!dir)
                return HONE_E_NOMEM;
            if (!hone_file_exists(dir) || tries > 20)
                break;
            hone_free(dir);
        }
    }
    hone_run *run = NULL;
    s = hone_mkdirs(dir);
    if (s >= 0) {
        run = run_new(dir);
        s = run ? HONE_OK : HONE_E_NOMEM;
    }
    hone_free(dir);
    if (s >= 0)
        s = take_lock(run);
    if (s >= 0)
        s = open_files(run);
    if (s < 0) {
        hone_run_close(run);
        return s;
    }
    *out = run;
    return HONE_OK;
}

/* Removes "checkpoints/.tmp-*" that a killed write left behind. */
static hone_status sweep(hone_run *run)
{
    char *dir = hone_run_path(run, "checkpoints");
    char **names = NULL;
    size_t n = 0;
    hone_status s = HONE_OK;
    if (!dir)
        return HONE_E_NOMEM;
    if (hone_file_is_dir(dir)) {
        s = hone_list_dir(dir, &names, &n);
        for (size_t i = 0; s >= 0 && i < n; i++) {
            if (strncmp(names[i], ".tmp-", 5) != 0)
                continue;
            char *p = hone_path_join(dir, names[i]);
            s = p ? hone_remove_tree(p) : HONE_E_NOMEM;
            hone_free(p);
        }
        hone_names_free(names, n);
    }
    hone_free(dir);
    return s;
}

hone_status hone_run_open(const char *dir, hone_run **out)
{
    char *probe = hone_path_join(dir, "run.json");
    if (!probe)
        return HONE_E_NOMEM;
    int there = hone_file_exists(probe);
    hone_free(probe);
    if (!there) {
        hone_status s = hone_fail(HONE_E_NOT_FOUND, "%s is no run directory (no run.json)", dir);
        hone_fail_hint("hone runs lists the runs of this folder");
        return s;
    }
    hone_run *run = run_new(dir);
    if (!run)
        return HONE_E_NOMEM;
    hone_status s = take_lock(run);
    if (s >= 0)
        s = sweep(run);
    if (s >= 0)
        s = open_files(run);
    if (s < 0) {
        hone_run_close(run);
        return s;
    }
    *out = run;
    return HONE_OK;
}

void hone_run_close(hone_run *run)
{
    if (!run)
        return;
    hone_checkpoint_abandon(run);
    for (int i = 0; i < N_FILES; i++) {
        if (run->fd[i] >= 0)
            close(run->fd[i]);
    }
    if (run->lock_fd >= 0)
        close(run->lock_fd);
    hone_free(run->dir);
    hone_free(run);
}

static hone_status append(hone_run *run, int which, const void *p, size_t n)
{
    hone_status s = hone_file_write_fd(run->fd[which], p, n, file_names[which]);
    if (s >= 0)
        run->size[which] += n;
    else
        /* A torn record would stand between whole ones: cut it off again. */
        (void)!ftruncate(run->fd[which], (off_t)run->size[which]);
    return s;
}

static hone_status append_line(hone_run *run, int which, hone_str line)
{
    char *copy = hone_alloc(line.len + 1);
    if (!copy)
        return HONE_E_NOMEM;
    memcpy(copy, line.ptr, line.len);
    copy[line.len] = '\n';
    hone_status s = append(run, which, copy, line.len + 1);
    hone_free(copy);
    return s;
}

hone_status hone_run_metrics(hone_run *run, hone_str json_line)
{
    return append_line(run, METRICS, json_line);
}

hone_status hone_run_timings(hone_run *run, hone_str json_line)
{
    return append_line(run, TIMINGS, json_line);
}

hone_status hone_run_log(hone_run *run, hone_str text)
{
    return append_line(run, LOG, text);
}

hone_status hone_run_rollouts(hone_run *run, hone_str json_lines)
{
    size_t cap = ZSTD_compressBound(json_lines.len);
    void *out = hone_alloc(cap);
    if (!out)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    if (!cctx) {
        hone_free(out);
        return hone_fail(HONE_E_NOMEM, "no memory for a compressor");
    }
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, 3);
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(cctx, out, cap, json_lines.ptr, json_lines.len);
    if (ZSTD_isError(n))
        s = hone_fail(HONE_E_FAIL, "rollouts: %s", ZSTD_getErrorName(n));
    else
        s = append(run, ROLLOUTS, out, n);
    ZSTD_freeCCtx(cctx);
    hone_free(out);
    return s;
}

void hone_run_marks(const hone_run *run, uint64_t *metrics_bytes, uint64_t *rollout_bytes)
{
    *metrics_bytes = run->size[METRICS];
    *rollout_bytes = run->size[ROLLOUTS];
}

static hone_status long_enough(const hone_run *run, int which, uint64_t bytes)
{
    if (run->size[which] < bytes)
        return hone_fail(HONE_E_PARSE,
                         "%s/%s: %" PRIu64 " bytes, but the checkpoint was made at %" PRIu64,
                         run->dir, file_names[which], run->size[which], bytes);
    return HONE_OK;
}

static hone_status cut(hone_run *run, int which, uint64_t bytes)
{
    if (ftruncate(run->fd[which], (off_t)bytes) != 0 || fsync(run->fd[which]) != 0)
        return hone_fail_errno("cannot cut %s/%s", run->dir, file_names[which]);
    run->size[which] = bytes;
    return HONE_OK;
}

hone_status hone_run_cut(hone_run *run, uint64_t metrics_bytes, uint64_t rollout_bytes)
{
    /* both before either: a refused resume takes no line away */
    HONE_TRY(long_enough(run, METRICS, metrics_bytes));
    HONE_TRY(long_enough(run, ROLLOUTS, rollout_bytes));
    HONE_TRY(cut(run, METRICS, metrics_bytes));
    return cut(run, ROLLOUTS, rollout_bytes);
}

/* ---- checkpoints ------------------------------------------------------------------------------------ */

hone_status hone_checkpoint_begin(hone_run *run, uint64_t step, const char **dir_out)
{
    char leaf[64];
    hone_checkpoint_abandon(run);
    snprintf(leaf, sizeof leaf, "checkpoints/.tmp-%06" PRIu64, step);
    char *dir = hone_run_path(run, leaf);
    if (!dir)
        return HONE_E_NOMEM;
    hone_status s = hone_remove_tree(dir);
    if (s >= 0)
        s = hone_mkdirs(dir);
    if (s < 0) {
        hone_free(dir);
        return s;
    }
    run->ckpt_tmp = dir;
    run->ckpt_step = step;
    *dir_out = dir;
    return HONE_OK;
}

void hone_checkpoint_abandon(hone_run *run)
{
    if (!run->ckpt_tmp)
        return;
    hone_remove_tree(run->ckpt_tmp);
    hone_free(run->ckpt_tmp);
    run->ckpt_tmp = NULL;
}

static hone_status write_sums(const char *dir)
{
    char **names = NULL;
    size_t n = 0;
    hone_buf b;
    char hex[65];
    hone_buf_init(&b, 1 << 20);
    hone_status s = hone_list_dir(dir, &names, &n);
    for (size_t i = 0; s >= 0 && i < n; i++) {
        if (strcmp(names[i], "SHA256SUMS") == 0)
            continue;
        char *p = hone_path_join(dir, names[i]);
        s = p ? hone_sha256_file(p, hex) : HONE_E_NOMEM;
        hone_free(p);
        if (s >= 0)
            s = hone_buf_addf(&b, "%s  %s\n", hex, names[i]);
    }
    if (s >= 0) {
        char *p = hone_path_join(dir, "SHA256SUMS");
        s = p ? hone_file_replace(p, b.ptr, b.len) : HONE_E_NOMEM;
        hone_free(p);
    }
    hone_names_free(names, n);
    hone_buf_release(&b);
    return s;
}

static hone_status prune(hone_run *run, uint32_t keep)
{
    uint64_t *steps = NULL;
    size_t n = 0;
    if (keep == 0)
        return HONE_OK;
    HONE_TRY(hone_checkpoint_list(run->dir, &steps, &n));
    hone_status s = HONE_OK;
    for (size_t i = 0; s >= 0 && i + keep < n; i++) {
        char leaf[64];
        snprintf(leaf, sizeof leaf, "checkpoints/step-%06" PRIu64, steps[i]);
        char *p = hone_run_path(run, leaf);
        s = p ? hone_remove_tree(p) : HONE_E_NOMEM;
        hone_free(p);
    }
    hone_free(steps);
    return s;
}

hone_status hone_checkpoint_commit(hone_run *run, uint32_t keep)
{
    char leaf[64];
    char *to = NULL, *parent = NULL;
    if (!run->ckpt_tmp)
        return hone_fail(HONE_E_STATE, "no checkpoint was begun");
    hone_status s;
    /* What the checkpoint's marks speak of must be on disk before the checkpoint is. */
    for (int i = 0; i < N_FILES; i++) {
        if (i != LOG && fsync(run->fd[i]) != 0)
            return hone_fail_errno("cannot sync %s/%s", run->dir, file_names[i]);
    }
    HONE_TRY_GOTO(write_sums(run->ckpt_tmp), done);
    HONE_TRY_GOTO(hone_fsync_dir(run->ckpt_tmp), done);
    snprintf(leaf, sizeof leaf, "checkpoints/step-%06" PRIu64, run->ckpt_step);
    to = hone_run_path(run, leaf);
    parent = hone_run_path(run, "checkpoints");
    if (!to || !parent) {
        s = HONE_E_NOMEM;
        goto done;
    }
    HONE_TRY_GOTO(hone_remove_tree(to), done); /* the same step again, after a resume */
    if (rename(run->ckpt_tmp, to) != 0) {
        s = hone_fail_errno("cannot rename %s", run->ckpt_tmp);
        goto done;
    }
    hone_free(run->ckpt_tmp);
    run->ckpt_tmp = NULL;
    HONE_TRY_GOTO(hone_fsync_dir(parent), done);
    s = prune(run, keep);
done:
    hone_free(to);
    hone_free(parent);
    return s;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

hone_status hone_checkpoint_list(const char *run_dir, uint64_t **steps_out, size_t *n_out)
{
    char *dir = hone_path_join(run_dir, "checkpoints");
    char **names = NULL;
    size_t n = 0, k = 0;
    if (!dir)
        return HONE_E_NOMEM;
    hone_status s = HONE_OK;
    if (hone_file_is_dir(dir))
        s = hone_list_dir(dir, &names, &n);
    hone_free(dir);
    if (s < 0)
        return s;
    uint64_t *steps = hone_alloc((n + 1) * sizeof *steps);
    if (!steps) {
        hone_names_free(names, n);
        return HONE_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        char *end = NULL;
        if (strncmp(names[i], "step-", 5) != 0)
            continue;
        errno = 0;
        uint64_t v = strtoull(names[i] + 5, &end, 10);
        if (errno == 0 && end && *end == '\0' && end != names[i] + 5)
            steps[k++] = v;
    }
    hone_names_free(names, n);
    qsort(steps, k, sizeof *steps, by_value);
    *steps_out = steps;
    *n_out = k;
    return HONE_OK;
}

static hone_status verify_line(const char *dir, const char *line, size_t len)
{
    char hex[65], name[256];
    if (len < 67 || len - 66 >= sizeof name || line[64] != ' ' || line[65] != ' ')
        return hone_fail(HONE_E_PARSE, "%s/SHA256SUMS: malformed line", dir);
    memcpy(name, line + 66, len - 66);
    name[len - 66] = '\0';
    if (strchr(name, '/'))
        return hone_fail(HONE_E_PARSE, "%s/SHA256SUMS: \"%s\" is no file name", dir, name);
    char *p = hone_path_join(dir, name);
    hone_status s = p ? hone_sha256_file(p, hex) : HONE_E_NOMEM;
    if (s >= 0 && memcmp(hex, line, 64) != 0) {
        s = hone_fail(HONE_E_PARSE, "%s: content differs from SHA256SUMS", p);
        hone_fail_hint(
            "the checkpoint is damaged: remove the folder and resume from the one before");
    }
    hone_free(p);
    return s;
}

hone_status hone_checkpoint_verify(const char *run_dir, uint64_t step)
{
    char leaf[64];
    hone_buf b;
    snprintf(leaf, sizeof leaf, "checkpoints/step-%06" PRIu64, step);
    char *dir = hone_path_join(run_dir, leaf);
    char *sums = dir ? hone_path_join(dir, "SHA256SUMS") : NULL;
    hone_buf_init(&b, 1 << 20);
    hone_status s = sums ? hone_file_read(sums, 1 << 20, &b) : HONE_E_NOMEM;
    for (size_t i = 0; s >= 0 && i < b.len;) {
        const char *nl = memchr(b.ptr + i, '\n', b.len - i);
        size_t len = nl ? (size_t)(nl - (b.ptr + i)) : b.len - i;
        s = verify_line(dir, b.ptr + i, len);
        i += len + 1;
    }
    hone_buf_release(&b);
    hone_free(sums);
    hone_free(dir);
    return s;
}

/* ---- reading rollouts ------------------------------------------------------------------------------- */

static hone_status feed_lines(hone_buf *line, const char *p, size_t n,
                              hone_status (*fn)(void *ctx, hone_str line), void *ctx)
{
    while (n > 0) {
        const char *nl = memchr(p, '\n', n);
        size_t len = nl ? (size_t)(nl - p) : n;
        HONE_TRY(hone_buf_add(line, p, len));
        if (!nl)
            return HONE_OK;
        HONE_TRY(fn(ctx, hone_buf_str(line)));
        hone_buf_clear(line);
        p += len + 1;
        n -= len + 1;
    }
    return HONE_OK;
}

hone_status hone_rollouts_read(const char *path, hone_status (*fn)(void *ctx, hone_str line),
                               void *ctx, int *truncated)
{
    hone_mapped m;
    hone_buf line;
    HONE_TRY(hone_file_map(path, &m));
    hone_buf_init(&line, (size_t)1 << 28);
    char *chunk = hone_alloc(ZSTD_DStreamOutSize());
    ZSTD_DCtx *d = ZSTD_createDCtx();
    hone_status s = chunk && d ? HONE_OK : hone_fail(HONE_E_NOMEM, "no memory for a decompressor");
    ZSTD_inBuffer in = {m.ptr, m.len, 0};
    size_t left = 0;
    while (s >= 0 && in.pos < in.size) {
        ZSTD_outBuffer out = {chunk, ZSTD_DStreamOutSize(), 0};
        left = ZSTD_decompressStream(d, &out, &in);
        if (ZSTD_isError(left)) {
            s = hone_fail(HONE_E_PARSE, "%s: %s near byte %zu", path, ZSTD_getErrorName(left),
                          in.pos);
            break;
        }
        s = feed_lines(&line, chunk, out.pos, fn, ctx);
    }
    /* Output may remain after the input is consumed. */
    while (s >= 0 && left != 0) {
        ZSTD_outBuffer out = {chunk, ZSTD_DStreamOutSize(), 0};
        size_t before = left;
        left = ZSTD_decompressStream(d, &out, &in);
        if (ZSTD_isError(left) || (out.pos == 0 && left == before))
            break;
        s = feed_lines(&line, chunk, out.pos, fn, ctx);
    }
    if (truncated)
        *truncated = s >= 0 && left != 0;
    ZSTD_freeDCtx(d);
    hone_free(chunk);
    hone_buf_release(&line);
    hone_file_unmap(&m);
    return s;
}
