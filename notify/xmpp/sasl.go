package xmpp

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
	"mellium.im/sasl"
)

// mechanisms are those that vext logs in by, the best first.
var mechanisms = []sasl.Mechanism{sasl.ScramSha256Plus, sasl.ScramSha1Plus, sasl.ScramSha256, sasl.ScramSha1, sasl.Plain}

// maxIterations bounds the work that a server can ask for: half a second of it.
const maxIterations = 1 << 20

// A negotiation is a login by one mechanism.
type negotiation struct {
	*sasl.Negotiator
	name string
}

// mechanism begins a login by the best mechanism that the server offers.
func (c *Client) mechanism(features *element, state tls.ConnectionState) (*negotiation, error) {
	var offered []string
	if list := features.child(nsSASL, "mechanisms"); list != nil {
		for _, m := range list.children {
			offered = append(offered, strings.TrimSpace(m.text))
		}
	}
	for _, m := range mechanisms {
		if !slices.Contains(offered, m.Name) || strings.HasSuffix(m.Name, "-PLUS") && !canBind(features, state) {
			continue
		}
		password := c.o.Password
		if m.Name != sasl.Plain.Name {
			password = norm.NFKC.String(password) // what SASLprep does to letters (RFC 4013)
		}
		return &negotiation{name: m.Name, Negotiator: sasl.NewClient(m, sasl.TLSState(state), sasl.RemoteMechanisms(offered...),
			sasl.Credentials(func() (username, secret, identity []byte) {
				return []byte(c.local), []byte(password), nil
			}))}, nil
	}
	if len(offered) == 0 {
		return nil, errors.New("the server offers no login")
	}
	return nil, fmt.Errorf("the server offers only logins that vext does not know: %.200s", strings.Join(offered, ", "))
}

// canBind reports whether the server can bind the login to the TLS connection as this side
// does. A server that offers this says how (XEP-0440); before TLS 1.3 there was one way.
func canBind(features *element, state tls.ConnectionState) bool {
	way := "tls-exporter"
	if state.Version < tls.VersionTLS13 {
		if way = "tls-unique"; len(state.TLSUnique) == 0 {
			return false
		}
	}
	ways := features.child(nsBinding, "sasl-channel-binding")
	if ways == nil {
		return state.Version < tls.VersionTLS13
	}
	return slices.ContainsFunc(ways.children, func(e *element) bool { return e.attr(attrType) == way })
}

// isLast reports whether the next message of the server is its proof that it has the
// password.
func (n *negotiation) isLast() bool { return n.State()&sasl.StepMask == sasl.ResponseSent }

// Step checks what the library does not: it never returns for some messages of a server,
// and computes for as long as the server wants.
func (n *negotiation) Step(challenge []byte) (more bool, response []byte, err error) {
	if n.State()&sasl.StepMask == sasl.AuthTextSent {
		if err := checkChallenge(challenge); err != nil {
			return false, nil, err
		}
	}
	return n.Negotiator.Step(challenge)
}

// checkChallenge checks the first message of a server of SCRAM (RFC 5802, section 7).
func checkChallenge(challenge []byte) error {
	iterations := 0
	for field := range bytes.SplitSeq(challenge, []byte(",")) {
		if len(field) < 3 || field[1] != '=' {
			return errors.New("the server sent a challenge that is not understood")
		}
		if field[0] == 'i' {
			n, err := strconv.Atoi(string(field[2:]))
			if err != nil {
				return err
			}
			iterations = n
		}
	}
	if iterations < 1 || iterations > maxIterations {
		return fmt.Errorf("the server wants %d iterations of SCRAM, %d at most", iterations, maxIterations)
	}
	return nil
}
