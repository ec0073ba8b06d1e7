/* init fails and says nothing.
 * validate: library.load fail without saying why
 * score: refuses without saying why */
#define INIT init
#include "hone/host.h"
static hone_status init(const hone_host *host)
{
    (void)host;
    return HONE_E_IO;
}
#include "hostile.h"
