/* lang_words.c - the languages that lang.c knows: letters of their own and their commonest words.
 *
 * Written down from knowledge of the languages: articles, pronouns, prepositions, conjunctions, forms of to be and to have,
 * numerals, common verbs. A letter is listed where it sets a language apart from its neighbours; a language may list one
 * that a few others have too. The codes are ISO 639-1, as other detectors have them. */
#include "lang.h"

/* clang-format off */
const lang_row lang_rows[] = {
    {"en", SCRIPT_LATIN, NULL,
     "the of and to in is that it for was on are as with his they be at this have from or one had by but not what all were we when "
     "your can said there use an each which she do how their if will up other about out many then them these so some her would make "
     "like him into time has look two more write go see no way could people my than been who its now find did get come made may "
     "part i you me our us he because should through just only also very here where why while after before being does don t s re ve "
     "ll want need know think good new work day life world help take any most every always never over again against between both "
     "few under until during without within around above below off down let love great best better first last long little own same "
     "right big high small large next early young important public able old different such even still much well back too year years "
     "man woman child children thing things hand eye eyes place week case point home water room mother father money story fact "
     "night light heart mind house school city game word words name book music river green blue red white black golden sky stars "
     "sun moon code digital design data project team business company market service product customer build create learn start stop "
     "keep give show feel become leave call try ask seem turn might must shall ever upon yet though although whether since however "
     "therefore everyone someone something nothing everything another together today tomorrow dear sincerely regards thank thanks "
     "please hello",
     "th wh gh ck sh ch oo ee ea ow ou ing tion ness ment ance ies ty ly ph ct"},
    {"de", SCRIPT_LATIN, "ßäöü",
     "der die das und ist nicht ein eine einen einem einer eines ich du er sie es wir ihr mit von zu auf für den dem des im in an "
     "auch als wie aus bei nach um am sind war werden wird hat haben kann sich noch nur so über aber oder wenn dass man mehr "
     "sehr durch zum zur vom bis unter vor zwischen diese dieser dieses sein seine ihre ihren was hier alle jetzt schon immer ihnen mir "
     "dich mich uns unsere können müssen",
     "sch ei ie ung cht tz pf ck au eu keit heit lich isch"},
    {"fr", SCRIPT_LATIN, "çêèùœ",
     "le la les de des du et est un une que qui dans pour pas sur avec ce cette ces il elle nous vous ils elles je tu on ne se au aux par "
     "plus mais ou où sont être avoir fait comme tout tous bien leur leurs son sa ses mon ma mes notre votre à "
     "été peut très sans aussi si y en d l qu c n j m deux entre encore",
     "eau ou oi ai eux ille tion ance eur ment ique age"},
    {"es", SCRIPT_LATIN, "ñ¿¡",
     "el la los las de del que y en un una unos unas es por con no para su sus se lo como más pero al le ya o este esta estos sí "
     "porque cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso ante "
     "ellos e esto mi antes algunos qué yo otro ser son está tiene fue han era puede hacer usted nuestro nuestra",
     "ci ll que dad mente aje ue ie ado ada ero era"},
    {"pt", SCRIPT_LATIN, "ãõç",
     "o a os as de do da dos das que e em um uma é para com não por mais se no na nos nas ao aos como mas foi ele ela eles "
     "são seu sua seus suas ou quando muito há já está eu também só pelo pela até isso "
     "entre era depois sem mesmo ter você vocês essa esse este esta meu minha nosso pode ser tem fazer sobre porque",
     "lh nh ou ei dade mente agem inho eira eiro"},
    {"it", SCRIPT_LATIN, "ìò",
     "il lo la i gli le di che e è un una uno per in con non si da del della dei delle degli dello al alla ai alle nel nella sul sulla "
     "come ma più sono ha ho hanno anche se questo questa questi queste o suo sua suoi essere cui io tu lui lei noi voi loro mi ti ci "
     "vi tutto tutti molto quando dove perché stato fare sua mio mia tra fra dopo prima ogni",
     "zz gli gn cch zione tt ll mente ezza aggio sci"},
    {"nl", SCRIPT_LATIN, NULL,
     "de het een en van ik te dat die in is niet zijn op aan met als voor had er maar om hem dan zou of wat mijn men dit zo door over ze zich "
     "bij ook tot je mij uit der daar haar naar heb hoe heeft hebben deze u want nog zal me zij nu ge geen omdat iets worden toch al waren "
     "veel meer doen moet kan wordt onze ons wij jij",
     "ij aa oe uu ee oo sch cht heid lijk ge"},
    {"af", SCRIPT_LATIN, NULL,
     "die en van is in het nie dat n te ek met vir op hy sy was wat om as aan by kan sal word haar ons jy hulle ook maar daar hierdie "
     "hul uit wees een baie so net nog al of deur na jou my omdat dit gegaan niemand nou oor kon moet gaan tot se toe hom waar êrens "
     "dis wees sê moenie meer soos sonder tussen", NULL},
    {"sv", SCRIPT_LATIN, "åäö",
     "och i att det som en på är av för med till den har de inte om ett han men var jag vi du sig från så kan när "
     "ut eller ska hon dem dess vara hade dig mig under alla även efter vid mycket där skulle nu mot sin sina mer detta oss", NULL},
    {"da", SCRIPT_LATIN, "æøå",
     "og i at det som en på er af for med til den har de ikke om et han men var jeg vi du sig fra så kan når ud eller skal hun dem "
     "være havde dig mig efter ved meget hvor ville nu mod sin sine mere dette os blev bliver også hvad deres noget", NULL},
    {"no", SCRIPT_LATIN, "æøå",
     "og i det som en på er av for med til den har de ikke om et han men var jeg vi du seg fra så kan når ut eller skal hun dem å "
     "være hadde deg meg etter ved mye hvor ville nå mot sin sine mer dette oss ble blir også hva deres noe", NULL},
    {"fi", SCRIPT_LATIN, "äö",
     "ja on ei se että oli hän en mutta niin kuin ovat mitä sen myös tai kun olla voi nämä tämä tässä joka jos vain nyt "
     "mukaan hänen ole olen sinä minä me te he jotka koska siitä kaikki sekä eivät paljon hyvin vielä siellä tätä sitä "
     "olet voit kanssa itse jo", NULL},
    {"et", SCRIPT_LATIN, "õäöü",
     "ja on ei see et oli ta ma aga kui nii ka kes mis või seda selle mida oma siis nad meie teie ning kõik olen olla juba veel "
     "ainult väga üks mitte minu sinu tema saab pole nende", NULL},
    {"pl", SCRIPT_LATIN, "łąęńśźżć",
     "i w nie na to się z do jest że o jak co po tak za od by dla przez jego jej ale ich czy tym tylko lub są był była może "
     "oraz ten ta te tego bardzo przed już który która które mnie cię ja ty my wy oni gdy pod a", NULL},
    {"cs", SCRIPT_LATIN, "ěřů",
     "a v se na je že to s z do i o jako za by k pro si ale jsem jsou jeho její jak nebo tak po od byl byla bylo tento tato toto který "
     "která které co ve jen už při před může být má jsme já ty my vy oni když kde", NULL},
    {"sk", SCRIPT_LATIN, "ľĺŕôä",
     "a v sa na je že to s z do i o ako za by k pre si ale som sú jeho jej alebo tak po od bol bola bolo tento táto toto ktorý "
     "ktorá ktoré čo vo len už pri pred môže byť má sme ja ty my vy oni keď kde", NULL},
    {"sl", SCRIPT_LATIN, "čšž",
     "in v se na je da to s z za so ki po kot pa ne tudi bi iz od ali pri sem ima njegov njena kako če ko bil bila bilo ta ti te kateri katera "
     "lahko še vse med ni jih jaz ti mi vi oni biti kaj ker samo", NULL},
    {"hr", SCRIPT_LATIN, "ćđčšž",
     "i u se na je da to s za su od kao ne koji koja koje ili iz po o bi ali njegov njezina kako sam si smo ste biti bio bila bilo ovaj ova ovo "
     "može što samo već jer ima sve nije ja ti mi vi oni nakon prije kada gdje te", NULL},
    {"hu", SCRIPT_LATIN, "őű",
     "a az és hogy nem is egy ez van volt meg csak de ha mint már vagy azt ezt ki sem lehet minden kell mert el olyan így még ami "
     "aki nagy ön ő én te mi ti ezek azok lesz nagyon fel be majd legyen sok között után", NULL},
    {"ro", SCRIPT_LATIN, "ășțşţîâ",
     "și şi în de la a cu pe nu este un o din care să pentru sunt mai ce ca se al ale lui ei el ea ne au fost fi era dar sau dacă "
     "prin că l eu tu noi voi ele acest această acesta foarte despre poate ar fie unui unei am ai", NULL},
    {"tr", SCRIPT_LATIN, "ğışİ",
     "ve bir bu da de için ile çok ne o ki daha gibi ama olarak sonra kadar olan var ben sen biz siz onlar her en mi mı veya ya "
     "şey değil yok önce bana sana onun bunu çünkü nasıl olur oldu oldukça tüm", NULL},
    {"vi", SCRIPT_LATIN, "ơưđạảếệọốộờợủữấậềể",
     "và của là có không được một cho các những trong với người này để khi đã "
     "tôi bạn anh em chúng họ như từ về ra ở cũng sẽ đến thì làm năm", NULL},
    {"id", SCRIPT_LATIN, NULL,
     "yang dan di untuk dengan dari ini itu tidak dalam pada adalah akan ke karena juga ada saya anda kami kita mereka dia bisa atau oleh sudah "
     "telah seperti lebih sebagai dapat banyak hanya tetapi orang satu jika kalau bagi saat agar serta menjadi hari", NULL},
    {"tl", SCRIPT_LATIN, NULL,
     "ang ng sa na mga ay at si ako ikaw siya kami tayo kayo sila ko mo niya namin natin nila ito iyan iyon hindi may para kung pero lang din rin "
     "po ba kaya nang pa dahil isang isa upang kanyang aking wala mas ni kay", NULL},
    {"sw", SCRIPT_LATIN, NULL,
     "na ya wa kwa ni katika la za cha vya kuwa hii hiyo huo ambao ambayo kama lakini au si yake yao wake wao sana pia mimi wewe yeye sisi ninyi "
     "kila watu mtu siku baada kabla hata tu bila ili kutoka zaidi yangu yako yetu wangu wako wetu hakuna kuna basi", NULL},
    {"so", SCRIPT_LATIN, NULL,
     "waa iyo oo ka ku u ee la in aan ayaa uu ay soo ah kale badan laga lagu waxaa kala isaga iyada waxa wuxuu waxay sida mid dadka karo markii "
     "hadii laakiin waxaan", NULL},
    {"sq", SCRIPT_LATIN, "ë",
     "dhe në të një e i me për që nga është si ka nuk se do u por edhe kjo ky janë ai ajo ata unë ti ne ju më tij saj kur ku "
     "shumë këto gjithë kanë mund duke", NULL},
    {"cy", SCRIPT_LATIN, "ŵŷ",
     "yn y yr a ac i o ar mae wedi ei eu am at gan oedd bod fod nid ond neu hyn hwn hon sy sydd fel mewn roedd hefyd cael ni chi nhw fi mi rydym "
     "rydw eich ein gyda wrth dros pan beth", NULL},
    {"ca", SCRIPT_LATIN, "àèòç·",
     "el la els les de del dels que i en un una és per amb no al als es seu seva com més però o aquest aquesta aquests són ha han va "
     "molt també si jo ell ella nosaltres tot tots ser fer quan on sense entre fins sobre l d s n hi ho", NULL},
    {"lt", SCRIPT_LATIN, "ėįųūąę",
     "ir yra kad iš į su ne tai kaip bet jis ji jie aš tu mes jūs apie buvo per po nuo prie dėl tik ar savo jo jos ką kuris kuri dar labai "
     "gali būti šis ši tas ta arba taip pat", NULL},
    {"lv", SCRIPT_LATIN, "ēīļķņģā",
     "un ir ka no ar uz par bet nav tas tā kā viņš viņa es tu mēs jūs vai pie līdz pēc savu kas šis šī bija būt var ļoti "
     "tikai ja tādēļ gan no to tie", NULL},
    {"ru", SCRIPT_CYRILLIC, "ыэё",
     "и в не на я что с он как это по но к у из за то "
     "все она так его от о для мы вы или был была "
     "если который может при чтобы очень уже", NULL},
    {"uk", SCRIPT_CYRILLIC, "іїєґ",
     "і в у не на я що з він як це по але до за та від "
     "для ми ви або якщо є також дуже", NULL},
    {"bg", SCRIPT_CYRILLIC, NULL,
     "и в не на се да с е от за ще са но какво това той тя "
     "те аз със съм при много тази този че си като "
     "след беше или ако към", NULL},
    {"mk", SCRIPT_CYRILLIC, "ѓќѕљњџј",
     "и во не на се да со е од за ќе што го ја тој таа тие", NULL},
    {"ar", SCRIPT_ARABIC, "ةيكىإ",
     "في من على أن إلى هذا هذه التي الذي مع عن كان لا ما أو هو هي", NULL},
    {"fa", SCRIPT_ARABIC, "پچژگیک",
     "از به در که را این با است برای آن می یک خود تا کرد بر هم من شما و", NULL},
    {"ur", SCRIPT_ARABIC, "ٹڈڑںےہھ",
     "کے کی کا ہے میں سے اور کو ہیں پر نے یہ کہ ہی نہیں ہو ایک تھا", NULL},
    {"hi", SCRIPT_DEVANAGARI, "ड़़",
     "है हैं की के का में से को और पर ने यह कि ही नहीं हो एक था हम आप मैं भी तो इस वह", NULL},
    {"mr", SCRIPT_DEVANAGARI, "ळ",
     "आहे आहेत आणि व या ही हे हा तो ते ती का की मी आपण तर पण नाही होते करणे एक साठी", NULL},
    {"ne", SCRIPT_DEVANAGARI, NULL,
     "छ छन् र यो हो थियो पनि नै म हामी तपाईं गर्न हुन्छ सँग भएको लागि गरेको तर एक", NULL},
    {"el", SCRIPT_GREEK, NULL, NULL, NULL},
    {"he", SCRIPT_HEBREW, NULL, NULL, NULL},
    {"bn", SCRIPT_BENGALI, NULL, NULL, NULL},
    {"pa", SCRIPT_GURMUKHI, NULL, NULL, NULL},
    {"gu", SCRIPT_GUJARATI, NULL, NULL, NULL},
    {"ta", SCRIPT_TAMIL, NULL, NULL, NULL},
    {"te", SCRIPT_TELUGU, NULL, NULL, NULL},
    {"kn", SCRIPT_KANNADA, NULL, NULL, NULL},
    {"ml", SCRIPT_MALAYALAM, NULL, NULL, NULL},
    {"th", SCRIPT_THAI, NULL, NULL, NULL},
    {"ko", SCRIPT_HANGUL, NULL, NULL, NULL},
};
/* clang-format on */
const size_t lang_count = sizeof lang_rows / sizeof *lang_rows;
