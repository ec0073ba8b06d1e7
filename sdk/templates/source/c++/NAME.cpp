/* @name@.cpp - a source: the lines of a text file, one row each, with the columns `text` and `number`.
 *
 * Rows go to the host as Arrow batches of up to 256 lines (arrow.h). The position is a byte offset and a line
 * number, so after seek the stream goes on with the same rows. A batch owns its memory and may outlive the stream. */
#include "hone/hone.hpp"

#include <cerrno>
#include <fstream>
#include <memory>
#include <vector>

namespace
{
enum { PATH }; /* places in the table of settings */
const hone_field path = HONE_PATH_INIT("path", nullptr, HONE_REQUIRED, "the text file");
const hone_field *const fields[] = {&path, nullptr};
constexpr size_t ROWS = 256, LINE_MAX_BYTES = 1 << 20;

struct where {
    int64_t offset, number;
};

/* One batch; the parent and each column hold a share of it. */
struct block {
    std::vector<int32_t> offsets{0};
    std::vector<int64_t> numbers;
    std::string text;
    ArrowArray column[2]{}, *columns[2]{&column[0], &column[1]};
    const void *buffers[1]{}, *text_buffers[3]{}, *number_buffers[2]{};
};
using share = std::shared_ptr<block>;
void release_column(ArrowArray *a)
{
    a->release = nullptr;
    delete static_cast<share *>(a->private_data);
}
void release_batch(ArrowArray *a)
{
    for (int64_t i = 0; i < a->n_children; i++)
        if (a->children[i]->release)
            a->children[i]->release(a->children[i]);
    release_column(a);
}

class @name@
{
  public:
    @name@(hone::host, hone::config c) : file_(std::string(c.text(PATH)), std::ios::binary)
    {
        if (!file_)
            throw hone::error(HONE_E_NOT_FOUND, std::string(c.text(PATH)) + ": cannot be opened");
    }
    /* Fills `out`, or leaves it released at the end. */
    void next(ArrowArray *out)
    {
        share b = std::make_shared<block>();
        std::string line;
        while (b->numbers.size() < ROWS && std::getline(file_, line)) {
            if (line.size() > LINE_MAX_BYTES)
                throw hone::error(HONE_E_LIMIT, "line " + std::to_string(number_ + 1) +
                                                    " is longer than 1 MiB");
            b->text += line;
            b->offsets.push_back(static_cast<int32_t>(b->text.size())); /* at most ROWS MiB */
            b->numbers.push_back(++number_);
        }
        *out = ArrowArray{};
        if (b->numbers.empty())
            return;
        b->text_buffers[1] = b->offsets.data();
        b->text_buffers[2] = b->text.data();
        b->number_buffers[1] = b->numbers.data();
        auto text = std::make_unique<share>(b), number = std::make_unique<share>(b),
             whole = std::make_unique<share>(b); /* all before any of them is given away */
        fill(&b->column[0], text, 3, b->text_buffers, release_column);
        fill(&b->column[1], number, 2, b->number_buffers, release_column);
        fill(out, whole, 1, b->buffers, release_batch);
        out->n_children = 2;
        out->children = b->columns;
    }
    where position()
    {
        if (file_.eof())
            file_.clear(), file_.seekg(0, std::ios::end);
        return {static_cast<int64_t>(file_.tellg()), number_};
    }
    void seek(where w)
    {
        file_.clear();
        if (w.offset < 0 || w.number < 0 || !file_.seekg(w.offset))
            throw hone::error(HONE_E_STATE, "the position does not fit the file");
        number_ = w.number;
    }
    std::string error;

  private:
    static void fill(ArrowArray *a, std::unique_ptr<share> &b, int64_t n_buffers,
                     const void **buffers, void (*release)(ArrowArray *)) noexcept
    {
        a->length = static_cast<int64_t>((*b)->numbers.size());
        a->n_buffers = n_buffers;
        a->buffers = buffers;
        a->private_data = b.release();
        a->release = release;
    }
    std::ifstream file_;
    int64_t number_ = 0; /* of the line read last, from 1 */
};

@name@ &of(ArrowArrayStream *s)
{
    return hone::object<@name@>(s->private_data);
}
int get_next(ArrowArrayStream *s, ArrowArray *out) noexcept
{
    try {
        of(s).error.clear();
        of(s).next(out);
        return 0;
    } catch (const std::exception &e) {
        of(s).error = e.what();
        return EIO;
    }
}
struct schema_block {
    ArrowSchema column[2]{}, *columns[2]{&column[0], &column[1]};
};
void release_column_schema(ArrowSchema *s)
{
    s->release = nullptr; /* in the block of its parent */
}
void release_schema(ArrowSchema *s)
{
    s->release = nullptr;
    delete static_cast<schema_block *>(s->private_data);
}
int get_schema(ArrowArrayStream *, ArrowSchema *out) noexcept
{
    schema_block *k = new (std::nothrow) schema_block;
    if (!k)
        return ENOMEM;
    k->column[0].format = "u";
    k->column[0].name = "text";
    k->column[1].format = "l";
    k->column[1].name = "number";
    k->column[0].release = k->column[1].release = release_column_schema;
    *out = ArrowSchema{};
    out->format = "+s";
    out->name = "";
    out->n_children = 2;
    out->children = k->columns;
    out->private_data = k;
    out->release = release_schema;
    return 0;
}
const char *last_error(ArrowArrayStream *s) noexcept
{
    return of(s).error.empty() ? nullptr : of(s).error.c_str();
}
void release_stream(ArrowArrayStream *s) noexcept
{
    s->release = nullptr; /* the file stays with the instance */
}

hone_status open_stream(void *self, ArrowArrayStream *out) noexcept
{
    *out = ArrowArrayStream{get_schema, get_next, last_error, release_stream, self};
    return HONE_OK;
}
hone_status position(void *self, const hone_bytes_sink *sink) noexcept
{
    return hone::enter<@name@>(self, [&](@name@ &l) {
        const where w = l.position();
        if (sink->put(sink, &w, sizeof w) < 0)
            throw hone::error(HONE_E_IO, "the position could not be kept");
    });
}
hone_status seek(void *self, const void *bytes, size_t n) noexcept
{
    return hone::enter<@name@>(self, [&](@name@ &l) {
        where w{0, 0};
        if (n && n != sizeof w)
            throw hone::error(HONE_E_STATE, "a position of another source");
        if (n)
            std::memcpy(&w, bytes, sizeof w);
        l.seek(w);
    });
}
int64_t row_count(void *) noexcept
{
    return -1; /* not told without reading everything */
}

const hone_source_v1 table = {sizeof(hone_source_v1), 0, open_stream, position, seek, row_count,
                              nullptr, nullptr};
const void *get_iface(void *, const char *id) noexcept
{
    return std::strcmp(id, HONE_IFACE_SOURCE) == 0 ? &table : nullptr;
}
const char *const provides[] = {HONE_IFACE_SOURCE, nullptr};
const hone_component component = hone::component<@name@>(
    "@id@", HONE_KIND_SOURCE, "0.1.0", "the lines of a text file", HONE_CAP_DETERMINISTIC | HONE_CAP_FS_READ,
    fields, provides, nullptr, get_iface);
} // namespace

HONE_CPP_PLUGIN(0x000100, &component);
