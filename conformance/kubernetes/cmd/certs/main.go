// Command certs writes the keys and certificates of one throw-away control plane into a folder: a certificate authority, the serving and client certificates of every
// component, an authority of its own for the front proxy, and the key pair that signs service account tokens.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// validity bounds how long a forgotten control plane stays usable.
	validity = 30 * 24 * time.Hour
	// clockSkew lets a virtual machine whose clock runs behind accept the certificates.
	clockSkew = time.Hour
)

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

type folder string

func main() {
	dir := flag.String("dir", "", "folder to write into; it has to exist")
	flag.Parse()
	if err := writeAll(folder(*dir)); err != nil {
		fmt.Fprintln(os.Stderr, "certs:", err)
		os.Exit(1)
	}
}

func writeAll(dir folder) error {
	ca, err := dir.authority("ca", "gantry-conformance-ca")
	if err != nil {
		return err
	}
	frontProxy, err := dir.authority("front-proxy-ca", "gantry-conformance-front-proxy-ca")
	if err != nil {
		return err
	}
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, leaf := range []struct {
		file     string
		issuer   *authority
		template x509.Certificate
	}{
		{"apiserver", ca, x509.Certificate{
			Subject:     pkix.Name{CommonName: "kube-apiserver"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
			IPAddresses: append([]net.IP{net.IPv4(10, 96, 0, 1)}, loopback...),
		}},
		// etcd's own gateway and its peers use the serving certificate as a client too.
		{"etcd", ca, x509.Certificate{
			Subject:     pkix.Name{CommonName: "etcd"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
			DNSNames:    []string{"localhost"},
			IPAddresses: loopback,
		}},
		{"components", ca, x509.Certificate{
			Subject:     pkix.Name{CommonName: "control-plane-components"},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			DNSNames:    []string{"localhost"},
			IPAddresses: loopback,
		}},
		{"apiserver-etcd-client", ca, client("kube-apiserver-etcd-client")},
		{"apiserver-kubelet-client", ca, client("kube-apiserver-kubelet-client", "system:masters")},
		{"admin", ca, client("kubernetes-admin", "system:masters")},
		{"controller-manager", ca, client("system:kube-controller-manager")},
		{"scheduler", ca, client("system:kube-scheduler")},
		{"front-proxy-client", frontProxy, client("front-proxy-client")},
	} {
		if err := dir.leaf(leaf.file, leaf.issuer, leaf.template); err != nil {
			return err
		}
	}
	return dir.serviceAccountKeys()
}

func client(name string, groups ...string) x509.Certificate {
	return x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func (dir folder) authority(file, name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	certificate, err := dir.write(file, template, &authority{&template, key}, key)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key}, nil
}

func (dir folder) leaf(file string, issuer *authority, template x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	_, err = dir.write(file, template, issuer, key)
	return err
}

func (dir folder) write(file string, template x509.Certificate, issuer *authority, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, now.Add(-clockSkew), now.Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, &template, issuer.certificate, key.Public(), issuer.key)
	if err != nil {
		return nil, err
	}
	if err := dir.pem(file+".crt", "CERTIFICATE", der, 0o644); err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := dir.pem(file+".key", "PRIVATE KEY", private, 0o600); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// serviceAccountKeys are RSA because clusters in the field sign with RS256 and a client under test may know nothing else.
func (dir folder) serviceAccountKeys() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := dir.pem("sa.pub", "PUBLIC KEY", public, 0o644); err != nil {
		return err
	}
	return dir.pem("sa.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), 0o600)
}

func (dir folder) pem(file, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(filepath.Join(string(dir), file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
