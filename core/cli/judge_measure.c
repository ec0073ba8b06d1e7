/* judge_measure.c - see judge_measure.h. */
#include "cli/judge_measure.h"

#include "base/file.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

hone_status hone_cli_judge_read(hone_registry *r, const char *path, int kind, hone_joined *j)
{
    hone_data *d;
    hone_arena arena;
    hone_value row;
    hone_status s;
    uint64_t number = 0;
    HONE_TRY(hone_cli_open_data(r, NULL, path, j->opts.skip_bad ? "skip" : "stop", &d));
    hone_arena_init(&arena, 0);
    while ((s = hone_data_next(d, &arena, &row)) > 0) {
        s = hone_joined_add(j, kind, path, ++number, &row);
        if (s < 0)
            break;
        hone_arena_clear(&arena);
    }
    if (s >= 0)
        j->bad += (uint64_t)hone_data_skipped(d);
    hone_arena_release(&arena);
    hone_data_close(d);
    return s;
}

hone_status hone_cli_judge_origin_of(const hone_joined *j, const char *const (*files)[2],
                                     hone_cli_judge_origin *out)
{
    memset(out, 0, sizeof *out);
    out->about = (hone_calib_about){
        .spec = j->spec, .rubric = j->rubric, .data = out->data, .test_reads = -1};
    for (; (*files)[0]; files++) {
        hone_calib_source *to = &out->data[out->about.n_data];
        if (!(*files)[1])
            continue;
        to->name = (*files)[0];
        to->path = (*files)[1];
        HONE_TRY(hone_sha256_file(to->path, to->sha256));
        out->about.n_data++;
    }
    hone_book_now(out->at);
    out->about.at = out->at;
    snprintf(out->version, sizeof out->version, "%u.%u.%u", HONE_SDK_VERSION >> 16,
             HONE_SDK_VERSION >> 8 & 0xFF, HONE_SDK_VERSION & 0xFF);
    out->about.version = out->version;
    return HONE_OK;
}

hone_status hone_cli_judge_store(const char *path, int must, hone_book **out)
{
    *out = NULL;
    if (path || must || hone_file_exists(hone_book_where(NULL)))
        return hone_book_open(path, out);
    return HONE_OK;
}
