// The torture messages of RFC 4475 and RFC 5118 at the gate of the WSS leg: framing and sofia's verdict
// together. What the RFC leaves to a user agent or proxy behind the parser (416, 420, 483 ...) passes here
// and is the core's.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "controlplane/net/sofia_codec.h"
#include "controlplane/sip/sip_text.h"

namespace linegate::net {
namespace {

constexpr int kAccepted = 0;
/// Refused, and no answer can be made.
constexpr int kDropped = -1;

struct Row {
  const char* name;     ///< of the RFC's file
  const char* section;  ///< RFC 4475 unless it says so
  std::string bytes;
  int verdict;  ///< kAccepted, kDropped or the status of the answer
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

/// LF to CRLF; "Content-Length: *" or "l: *" gets the length of the body.
std::string Wire(std::string_view text) {
  std::string head, body;
  const size_t end = text.find("\n\n");
  const auto crlf = [](std::string_view part) {
    std::string result;
    for (const char c : part) result += c == '\n' ? std::string("\r\n") : std::string(1, c);
    return result;
  };
  head = crlf(text.substr(0, end + 2));
  body = crlf(text.substr(end + 2));
  if (const size_t star = head.rfind(" *\r\n"); star != std::string::npos) {
    head.replace(star + 1, 1, std::to_string(body.size()));
  }
  return head + body;
}

const char* const kSdp =
    "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.4\nt=0 0\nm=audio 49217 RTP/AVP 0 "
    "12\n"
    "m=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n";

// ---- section 3.1.1: valid

std::vector<Row> ValidRows() {
  std::string binary = Wire(R"(MESSAGE sip:kumiko@example.org SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-;rport
Max-Forwards: 70
Route: <sip:127.0.0.1:5080>
Identity: r5mwreLuyDRYBi/0TiPwEsY3rEVsk/G2WxhgTV1PF7hHuLIK0YWVKZhKv9Mj8UeXqkMVbnVq37CD+813gvYjcBUaZngQmXc9WNZSDNGCzA+fWl9MEUHWIZo1CeJebdY/XlgKeTa0Olvq0rt70Q5jiSfbqMJmQFteeivUhkMWYUA=
Contact: <sip:fluffy@127.0.0.1:5070>
To: <sip:kumiko@example.org>
From: <sip:fluffy@example.com>;tag=2fb0dcc9
Call-ID: 3d9485ad0c49859b@Zmx1ZmZ5LW1hYy0xNi5sb2NhbA..
CSeq: 1 MESSAGE
Content-Type: multipart/mixed;boundary=7a9cbec02ceef655
MIME-Version: 1.0
Content-Length: *

--7a9cbec02ceef655
Content-Type: application/octet-stream

)");
  return {
      {"wsinv", "3.1.1.1", Wire(R"(INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : *
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

)" + std::string(kSdp)),
       kAccepted},
      {"intmeth, without its NUL", "3.1.1.2",
       Wire("!interesting-Method0123456789_*+`.%indeed'~ "
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,"
            "weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\n"
            "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\n"
            "To: \"BEL:\\\x07 DEL:\\\x7F\" "
            "<sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\n"
            "From: token1~` token2'+_ token3*%!.- "
            "<sip:mundane@example.com>;fromParam''~+*_!.-%=\"\xd1\x80\xd0\xb0\";"
            "tag=_token~1'+`*%!-.\n"
            "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\n"
            "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\nMax-Forwards: 255\n"
            "extensionHeader-!.%*+_`'~: \xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb\nContent-Length: "
            "0\n\n"),
       kAccepted},
      {"esc01", "3.1.1.3", Wire(R"(INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0
To: sip:%75se%72@example.com
From: <sip:I%20have%20spaces@example.net>;tag=938
Max-Forwards: 87
i: esc01.239409asdfakjkn23onasd0-3234
CSeq: 234234 INVITE
Via: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw
C: application/sdp
Contact:
  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>
Content-Length: *

)" + std::string(kSdp)),
       kAccepted},
      {"escnull", "3.1.1.4", Wire(R"(REGISTER sip:example.com SIP/2.0
To: sip:null-%00-null@example.com
From: sip:null-%00-null@example.com;tag=839923423
Max-Forwards: 70
Call-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd
CSeq: 14398234 REGISTER
Via: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw
Contact: <sip:%00@host5.example.com>
Contact: <sip:%00%00@host5.example.com>
L:0

)"),
       kAccepted},
      {"esc02", "3.1.1.5", Wire(R"(RE%47IST%45R sip:registrar.example.com SIP/2.0
To: "%Z%45" <sip:resource@example.com>
From: "%Z%45" <sip:resource@example.com>;tag=f232jadfj23
Call-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf
Via: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234
CSeq: 29344 RE%47IST%45R
Max-Forwards: 70
Contact: <sip:alias1@host1.example.com>
C%6Fntact: <sip:alias2@host2.example.com>
Contact: <sip:alias3@host3.example.com>
l: 0

)"),
       kAccepted},
      {"lwsdisp", "3.1.1.6", Wire(R"(OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: caller<sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID: lwsdisp.1234abcd@funky.example.com
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw
l: 0

)"),
       kAccepted},
      {"longreq, in shape", "3.1.1.7",
       Wire("INVITE sip:user@example.com SIP/2.0\nTo: \"I have a user name of " + std::string(40, 'e') +
            "xtreme proportion\" <sip:user@example.com:6000;unknownparam1=very" + std::string(60, 'l') +
            "ongvalue;longparam" + std::string(300, 'n') + "ame=shortvalue;very" + std::string(300, 'l') +
            "ongParameterNameWithNoValue>\nF: sip:" + std::string(200, 'a') +
            "@example.net;tag=12982982982982" + std::string(200, '9') + ";unknownheaderparam" +
            std::string(200, 'n') + "ame=unknowheaderparam" + std::string(200, 'v') +
            "alue;unknownValueless" + std::string(80, 'p') + "aramname\nCall-ID: longreq.one" +
            std::string(300, 'r') + "eallylongcallid\nCSeq: 3882340 INVITE\nUnknown-" +
            std::string(200, 'L') + "ong-Name: unknown-" + std::string(1000, 'l') +
            "ong-value\nVia: SIP/2.0/TCP sip33.example.com\nv: SIP/2.0/TCP sip32.example.com\nV: SIP/2.0/TCP "
            "sip31.example.com\nVia: SIP/2.0/TCP host.example.com;received=192.0.2.5;branch=very" +
            std::string(300, 'l') + "ongbranchvalue\nMax-Forwards: 70\nContact: <sip:" +
            std::string(300, 'a') + "@host5.example.net>\nContent-Type: application/sdp\nl: *\n\n" + kSdp),
       kAccepted},
      {"semiuri", "3.1.1.9", Wire(R"(OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0
To: sip:j_user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Call-ID: semiuri.0ha0isndaksdj
CSeq: 8 OPTIONS
Accept: application/sdp, application/pkcs7-mime,
        multipart/mixed, multipart/signed,
        message/sip, message/sipfrag
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw
l: 0

)"),
       kAccepted},
      {"transports", "3.1.1.10", Wire(R"(OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: <sip:caller@example.com>;tag=323
Max-Forwards: 70
Call-ID:  transports.kijh4akdnaqjkwendsasfdj
Accept: application/sdp
CSeq: 60 OPTIONS
Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw
Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf
Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj
Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en
Via: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee
l: 0

)"),
       kAccepted},
      {"mpart01, in shape", "3.1.1.11", binary, kAccepted},
      {"unreason", "3.1.1.12",
       Wire("SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe - \xd0\xbf\xd1\x80\xd0\xbe\n"
            R"(Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Call-ID: unreason.1234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Content-Length: *
Content-Type: application/sdp
Contact: <sip:user@host198.example.com>

)" + std::string(kSdp)),
       kAccepted},
      {"noreason", "3.1.1.13",
       Wire("SIP/2.0 100 \n"
            R"(Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: noreason.asndj203insdf99223ndf
CSeq: 35 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>

)"),
       kAccepted},
      {"badbranch", "3.2.1", Wire(R"(OPTIONS sip:user@example.com SIP/2.0
To: sip:user@example.com
From: sip:caller@example.org;tag=33242
Max-Forwards: 3
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK
Accept: application/sdp
Call-ID: badbranch.sadonfo23i420jv0as0derf3j3n
CSeq: 8 OPTIONS
l: 0

)"),
       kAccepted},
      {"inv2543", "3.4.1", Wire(R"(INVITE sip:UserB@example.com SIP/2.0
Via: SIP/2.0/UDP iftgw.example.com
From: <sip:+13035551111@ift.client.example.net;user=phone>
Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>
To: sip:+16505552222@ss1.example.net;user=phone
Call-ID: inv2543.1717@ift.client.example.com
CSeq: 56 INVITE
Content-Type: application/sdp
Content-Length: *

)" + std::string(kSdp)),
       kAccepted},
  };
}

/// A request that is sound but for what a row puts in.
std::string With(const std::string& extra, const std::string& start = "OPTIONS sip:user@example.com SIP/2.0",
                 const std::string& cseq = "8 OPTIONS") {
  return Wire(
      start +
      "\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nTo: sip:j.user@example.com\n"
      "From: sip:caller@example.net;tag=134161461246\nCall-ID: x.0ha0isndaksdjasdf3234nas\nCSeq: " +
      cseq + "\n" + extra + "\n");
}
/// The same with one of its own lines replaced.
std::string Instead(const std::string& name, const std::string& line) {
  std::string bytes = With("Content-Length: 0\n");
  const size_t begin = bytes.find("\r\n" + name + ":") + 2;
  return bytes.replace(begin, bytes.find("\r\n", begin) - begin, line);
}

// ---- section 3.1.2: invalid

std::vector<Row> InvalidRows() {
  return {
      {"intmeth, with its NUL", "3.1.1.2: valid there; a NUL in a header has no use but to split readings",
       Instead("To", std::string("To: \"NUL:\\\0\" <sip:a@example.com>", 31)), kDropped},
      {"dblreq", "3.1.1.8: RFC 7118 section 5 allows one message a frame",
       With("Content-Length: 0\n") + With("Content-Length: 0\n"), 400},
      {"badinv01", "3.1.2.1", Wire(R"(INVITE sip:user@example.com SIP/2.0
To: sip:j.user@example.com
From: sip:caller@example.net;tag=134161461246
Max-Forwards: 7
Call-ID: badinv01.0ha0isndaksdjasdf3234nas
CSeq: 8 INVITE
Via: SIP/2.0/UDP 192.0.2.15;;,;,,
Contact: "Joe" <sip:joe@example.org>;;;;
Content-Length: *
Content-Type: application/sdp

)" + std::string(kSdp)),
       400},
      {"clerr", "3.1.2.2", With("Content-Length: 9999\n") + "v=0\r\n", 400},
      {"ncl", "3.1.2.3", With("Content-Length: -999\n"), 400},
      {"scalar02", "3.1.2.4", Instead("CSeq", "CSeq: 36893488147419103232 OPTIONS"), 400},
      {"scalarlg", "3.1.2.5", Wire(R"(SIP/2.0 503 Service Unavailable
Via: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129
To: <sip:user@example.com>
From: <sip:other@example.net>;tag=2easdjfejw
CSeq: 9292394834772304023312 OPTIONS
Call-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r
Retry-After: 949302838503028349304023988
Warning: 1812 overture "In Progress"
Content-Length: 0

)"),
       kDropped},
      {"quotbal", "3.1.2.6", Instead("To", "To: \"Mr. J. User <sip:j.user@example.com>"), 400},
      {"ltgtruri", "3.1.2.7", With("Content-Length: 0\n", "OPTIONS <sip:user@example.com> SIP/2.0"), 400},
      {"lwsruri", "3.1.2.8", With("Content-Length: 0\n", "OPTIONS sip:user@example.com; lr SIP/2.0"),
       kDropped},
      {"lwsstart", "3.1.2.9", With("Content-Length: 0\n", "OPTIONS  sip:user@example.com  SIP/2.0"),
       kDropped},
      {"trws", "3.1.2.10", With("Content-Length: 0\n", "OPTIONS sip:remote-target@example.com SIP/2.0  "),
       kDropped},
      {"baddn", "3.1.2.15", Instead("From", "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43"), 400},
      {"badvers", "3.1.2.16", With("Content-Length: 0\n", "OPTIONS sip:t.watson@example.org SIP/7.0"), 505},
      {"mismatch01", "3.1.2.17",
       With("Content-Length: 0\n", "OPTIONS sip:user@example.com SIP/2.0", "8 INVITE"), 400},
      {"mismatch02", "3.1.2.18",
       With("Content-Length: 0\n", "NEWMETHOD sip:user@example.com SIP/2.0", "8 INVITE"), 400},
      {"bigcode", "3.1.2.19", Wire(R"(SIP/2.0 4294967301 better not break the receiver
Via: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe
Call-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i
CSeq: 353494 INVITE
From: <sip:user@example.com>;tag=39ansfi3
To: <sip:user@example.edu>;tag=902jndnke3
Content-Length: 0
Contact: <sip:user@host105.example.com>

)"),
       kDropped},
      {"insuf", "3.3.1", Wire(R"(INVITE sip:user@example.com SIP/2.0
CSeq: 193942 INVITE
Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf
Content-Type: application/sdp
l: *

)" + std::string(kSdp)),
       kDropped},
      {"multi01", "3.3.8", Wire(R"(INVITE sip:user@company.com SIP/2.0
Contact: <sip:caller@host25.example.net>
Via: SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw
Max-Forwards: 70
CSeq: 5 INVITE
Call-ID: multi01.98asdh@192.0.2.1
CSeq: 59 INVITE
Call-ID: multi01.98asdh@192.0.2.2
From: sip:caller@example.com;tag=3413415
To: sip:user@example.com
To: sip:other@example.net
From: sip:caller@example.net;tag=2923420123
Content-Type: application/sdp
l: *
Contact: <sip:caller@host36.example.net>
Max-Forwards: 5

)" + std::string(kSdp)),
       400},
      {"mcl01", "3.3.9", With("Content-Length: 13\nContent-Length: 5\n") + "There's no way", 400},
  };
}

// ---- sections 3.1.2 (tolerable) and 3.3: passes the parser, the core decides

std::vector<Row> CoreRows() {
  return {
      {"escruri", "3.1.2.11",
       With("Content-Length: 0\n", "OPTIONS sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0"),
       kAccepted},
      {"baddate", "3.1.2.12", With("Date: Fri, 01 Jan 2010 16:00:00 EST\nContent-Length: 0\n"), kAccepted},
      {"badaspec", "3.1.2.14", Instead("To", "To: \"Watson, Thomas\" < sip:t.watson@example.org >"),
       kAccepted},
      {"unkscm", "3.3.2",
       With("Content-Length: 0\n", "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"), kAccepted},
      {"novelsc", "3.3.3", With("Content-Length: 0\n", "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"),
       kAccepted},
      {"unksm2", "3.3.4", Instead("To", "To: isbn:2983792873"), kAccepted},
      {"bext01", "3.3.5",
       With("Require: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis\n"
            "Content-Length: 0\n"),
       kAccepted},
      {"invut", "3.3.6", With("Content-Type: application/unknownformat\nContent-Length: 5\n") + "<a/>\n",
       kAccepted},
      {"regaut01", "3.3.7", With("Authorization: NoOneKnowsThisScheme opaque-data=here\nContent-Length: 0\n"),
       kAccepted},
      {"bcast", "3.3.10", Wire(R"(SIP/2.0 200 OK
Via: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923
Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23
Call-ID: bcast.0384840201234ksdfak3j2erwedfsASdf
CSeq: 35 INVITE
From: sip:user@example.com;tag=11141343
To: sip:user@example.edu;tag=2229
Contact: <sip:user@host28.example.com>
Content-Length: 0

)"),
       kAccepted},
      {"zeromf", "3.3.11", Instead("Max-Forwards", "Max-Forwards: 0"), kAccepted},
      {"cparam01", "3.3.12",
       With("Contact: sip:+19725552222@gw1.example.net;unknownparam\nContent-Length: 0\n"), kAccepted},
      {"cparam02", "3.3.13",
       With("Contact: <sip:+19725552222@gw1.example.net;unknownparam>\nContent-Length: 0\n"), kAccepted},
      {"regescrt", "3.3.14",
       With("Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\nContent-Length: 0\n"),
       kAccepted},
      {"sdp01", "3.3.15", With("Accept: text/nobodyKnowsThis\nContent-Length: 0\n"), kAccepted},
  };
}

std::vector<Row> Ipv6Rows() {
  return {
      {"ipv6-good", "RFC 5118 4.1", With("Content-Length: 0\n", "OPTIONS sip:[2001:db8::10] SIP/2.0"),
       kAccepted},
      {"ipv6-bad", "RFC 5118 4.2", With("Content-Length: 0\n", "OPTIONS sip:2001:db8::10 SIP/2.0"), 400},
      {"port-ambiguous", "RFC 5118 4.3",
       With("Content-Length: 0\n", "OPTIONS sip:[2001:db8::10:5070] SIP/2.0"), kAccepted},
      {"port-unambiguous", "RFC 5118 4.4",
       With("Content-Length: 0\n", "OPTIONS sip:[2001:db8::10]:5070 SIP/2.0"), kAccepted},
      {"via-received-param-with-delim", "RFC 5118 4.5",
       Instead("Via", "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111"),
       kAccepted},
      {"via-received-param-no-delim", "RFC 5118 4.5",
       Instead("Via", "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3"),
       kAccepted},
      {"ipv4-mapped-ipv6", "RFC 5118 4.10",
       Instead("Via", "Via: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19"), kAccepted},
  };
}

class Torture : public ::testing::TestWithParam<Row> {};

TEST_P(Torture, GetsItsVerdict) {
  const Row& row = GetParam();
  const auto parsed = SofiaParser().Parse(row.bytes);
  const int verdict = parsed ? kAccepted : parsed.error().request ? parsed.error().status : kDropped;
  EXPECT_EQ(verdict, row.verdict) << row.section << (parsed ? "" : " " + parsed.error().reason);
}

TEST_P(Torture, SurvivesEveryTruncation) {
  const std::string& bytes = GetParam().bytes;
  for (size_t length = 0; length < bytes.size(); ++length) {
    (void)SofiaParser().Parse(std::string_view(bytes).substr(0, length));
  }
}

TEST_P(Torture, SecondReadingIsTheSame) {
  const auto first = SofiaParser().Parse(GetParam().bytes);
  if (!first) return;
  const auto second = SofiaParser().Parse(sip::Serialise(first->message, first->vias));
  ASSERT_TRUE(second) << second.error().reason;
  ASSERT_EQ(second->message.headers.size(), first->message.headers.size());
  for (size_t i = 0; i < first->message.headers.size(); ++i) {
    EXPECT_EQ(second->message.headers[i].name, first->message.headers[i].name);
    EXPECT_EQ(second->message.headers[i].value, first->message.headers[i].value);
  }
  EXPECT_EQ(second->message.body, first->message.body);
  EXPECT_EQ(second->vias, first->vias);
}

INSTANTIATE_TEST_SUITE_P(Valid, Torture, ::testing::ValuesIn(ValidRows()));
INSTANTIATE_TEST_SUITE_P(Invalid, Torture, ::testing::ValuesIn(InvalidRows()));
INSTANTIATE_TEST_SUITE_P(LeftToTheCore, Torture, ::testing::ValuesIn(CoreRows()));
INSTANTIATE_TEST_SUITE_P(Ipv6, Torture, ::testing::ValuesIn(Ipv6Rows()));

TEST(TortureReading, TortuousInviteIsReadRight) {
  const auto parsed = SofiaParser().Parse(ValidRows().front().bytes);
  ASSERT_TRUE(parsed) << parsed.error().reason;
  const sip::Message& message = parsed->message;
  EXPECT_EQ(parsed->top_via.sent_by, "192.0.2.2");
  EXPECT_EQ(parsed->top_via.branch, "390skdjuw");
  EXPECT_EQ(parsed->vias.size(), 2u);
  EXPECT_EQ(sip::GetTag(*message.Get("From")), "98asjd8");
  EXPECT_EQ(sip::GetTag(*message.Get("To")), "1918181833n");
  EXPECT_EQ(sip::ParseNameAddr(*message.Get("From"))->uri, "sip:jdrosen@example.com");
  EXPECT_EQ(message.Get("NewFangledHeader"), "newfangled value continued newfangled value");
  EXPECT_EQ(message.Get("UnknownHeaderWithUnusualValue"), ";;,,;;,;");
  EXPECT_EQ(message.Get("Subject"), "");
  EXPECT_EQ(sip::GetParam(*message.Get("Contact"), "q"), "0.33");
  EXPECT_EQ(sip::ParseCSeq(*message.Get("CSeq"))->number, 9u);
}

}  // namespace
}  // namespace linegate::net
