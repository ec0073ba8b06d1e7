/* judging.h - the host's interface hone.judging/1 (sdk: hone/judging.h): what all judges that ask a model share.
 *
 * It is offered on every registry of the process: the judges in it ask for it, a boxed one reaches it through the host. No
 * model is called here. Source: judges.md sections 2, 3 and 5. */
#ifndef HONE_CORE_JUDGE_JUDGING_H
#define HONE_CORE_JUDGE_JUDGING_H
#include "hone/judging.h"
#include "host/registry.h"

/* Offers it on r, which closes it; for hone_registry_on_open. [control-thread] */
hone_status hone_judging_offer(hone_registry *r);
/* The one offered on r (hone_judging_offer was called with it): for who judges without a component. [control-thread] */
hone_status hone_judging_ref(hone_registry *r, hone_ref *out);
#endif
