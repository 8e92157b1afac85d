package main

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"

	"segell/signing"
	"segell/signing/kms"
	"segell/signing/pkcs11"
)

// A sealKeyStore is a place where the key that seals can be kept. Its variable is
// the one that chooses it.
type sealKeyStore struct {
	variable string
	others   []string // variables that say more about it
	open     func(*Settings, *faults) (signing.Key, error)
}

var sealKeyStores = []sealKeyStore{
	{"SEGELL_SEAL_P12_FILE", []string{"SEGELL_SEAL_PASSWORD"}, (*Settings).pkcs12Key},
	{"SEGELL_SEAL_PKCS11_MODULE", []string{"SEGELL_SEAL_PKCS11_TOKEN", "SEGELL_SEAL_PKCS11_KEY_LABEL", "SEGELL_SEAL_PKCS11_KEY_ID", "SEGELL_SEAL_PKCS11_PIN",
		"SEGELL_SEAL_PKCS11_SESSIONS"}, (*Settings).pkcs11Key},
	{"SEGELL_SEAL_KMS_KEY_ID", []string{"SEGELL_SEAL_KMS_REGION", "SEGELL_SEAL_KMS_ENDPOINT"}, (*Settings).kmsKey},
}

// usedKeyStores are those about which something is set: one, if all is well. The
// first is the PKCS#12 file where nothing is set at all.
func (s *Settings) usedKeyStores() (used []sealKeyStore) {
	for _, store := range sealKeyStores {
		for _, variable := range append(store.others, store.variable) {
			if s.isSet(variable) {
				used = append(used, store)
				break
			}
		}
	}
	if used == nil {
		used = sealKeyStores[:1]
	}
	return used
}

// sealKey opens the key that seals, or returns nil.
func (s *Settings) sealKey(f *faults) signing.Key {
	used := s.usedKeyStores()
	for _, store := range used[1:] {
		f.add(store.variable, "or what belongs to it is set, and so is %s: the key is kept in one place", used[0].variable)
	}
	if len(used) > 1 {
		return nil
	}
	key, err := used[0].open(s, f)
	if err != nil {
		f.add(s.keyFault(used[0], err), "%s", strings.TrimPrefix(err.Error(), "Endpoint: "))
	}
	return key
}

// keyFault names the setting that is most likely wrong.
func (s *Settings) keyFault(store sealKeyStore, err error) string {
	switch {
	case errors.Is(err, pkcs11.ErrNoToken):
		return "SEGELL_SEAL_PKCS11_TOKEN"
	case errors.Is(err, pkcs11.ErrRefusedPIN):
		return "SEGELL_SEAL_PKCS11_PIN"
	case errors.Is(err, pkcs11.ErrNoKey) && s.SealKeyLabel != "":
		return "SEGELL_SEAL_PKCS11_KEY_LABEL"
	case errors.Is(err, pkcs11.ErrNoKey):
		return "SEGELL_SEAL_PKCS11_KEY_ID"
	case strings.HasPrefix(err.Error(), "Endpoint: "):
		return "SEGELL_SEAL_KMS_ENDPOINT"
	}
	return store.variable
}

func (s *Settings) pkcs12Key(f *faults) (signing.Key, error) {
	if s.SealCertificates != "" {
		f.add("SEGELL_SEAL_CERTIFICATES_FILE", "is for keys on a token or in AWS KMS: a PKCS#12 file holds its certificates")
	}
	if !f.require("SEGELL_SEAL_P12_FILE", s.SealP12,
		"the PKCS#12 file of the seal (or SEGELL_SEAL_PKCS11_MODULE or SEGELL_SEAL_KMS_KEY_ID, for a key that is kept elsewhere)") {
		return nil, nil
	}
	data, err := os.ReadFile(s.SealP12)
	if err != nil {
		return nil, err
	}
	return signing.OpenPKCS12(data, s.SealPassword)
}

func (s *Settings) pkcs11Key(f *faults) (signing.Key, error) {
	c := pkcs11.Config{Module: s.SealModule, Token: s.SealToken, PIN: s.SealPIN, Label: s.SealKeyLabel}
	whole := f.require("SEGELL_SEAL_PKCS11_MODULE", c.Module, "the path of the token's PKCS#11 library, such as /usr/lib/softhsm/libsofthsm2.so")
	whole = f.require("SEGELL_SEAL_PKCS11_TOKEN", c.Token, "the label of the token") && whole
	whole = f.require("SEGELL_SEAL_PKCS11_PIN", c.PIN, "the user's PIN, best as SEGELL_SEAL_PKCS11_PIN_FILE") && whole
	whole = f.require("SEGELL_SEAL_PKCS11_KEY_LABEL", s.SealKeyLabel+s.SealKeyID, "the label of the private key (or SEGELL_SEAL_PKCS11_KEY_ID)") && whole
	var err error
	if c.ID, err = hex.DecodeString(s.SealKeyID); err != nil {
		f.add("SEGELL_SEAL_PKCS11_KEY_ID", "must be hexadecimal digits, such as 01")
		whole = false
	}
	if s.SealSessions != "" {
		if c.Sessions, err = strconv.Atoi(s.SealSessions); err != nil || c.Sessions < 1 || c.Sessions > pkcs11.MaxSessions {
			f.add("SEGELL_SEAL_PKCS11_SESSIONS", "must be a number from 1 to %d", pkcs11.MaxSessions)
			whole = false
		}
	}
	if s.SealCertificates != "" {
		var read bool
		c.Certificate, c.Chain, read = s.sealCertificates(f)
		whole = whole && read
	}
	if !whole {
		return nil, nil
	}
	return pkcs11.Open(background(), c)
}

func (s *Settings) kmsKey(f *faults) (signing.Key, error) {
	c := kms.Config{KeyID: s.SealKMSKey, Region: s.SealKMSRegion, Endpoint: s.SealKMSEndpoint}
	whole := f.require("SEGELL_SEAL_KMS_KEY_ID", c.KeyID, "the ID, ARN or alias of the key in AWS KMS")
	whole = f.require("SEGELL_SEAL_KMS_REGION", c.Region, "the region of the key, such as eu-south-2") && whole
	if f.require("SEGELL_SEAL_CERTIFICATES_FILE", s.SealCertificates, "a PEM file of the key's certificate and of the authorities above it: AWS KMS keeps none") {
		var read bool
		if c.Certificate, c.Chain, read = s.sealCertificates(f); read && c.Certificate == nil {
			f.add("SEGELL_SEAL_CERTIFICATES_FILE", "%s holds authorities alone: the key's own certificate is needed", s.SealCertificates)
		}
	}
	if !whole || c.Certificate == nil {
		return nil, nil
	}
	return kms.Open(background(), c)
}

// sealCertificates reads the certificate, if the file has it, and the authorities.
func (s *Settings) sealCertificates(f *faults) (certificate *x509.Certificate, authorities []*x509.Certificate, ok bool) {
	text, err := os.ReadFile(s.SealCertificates)
	if err != nil {
		f.add("SEGELL_SEAL_CERTIFICATES_FILE", "%v", err)
		return nil, nil, false
	}
	if certificate, authorities, err = signing.ReadCertificates(text); err != nil {
		f.add("SEGELL_SEAL_CERTIFICATES_FILE", "%s %v", s.SealCertificates, err)
	}
	return certificate, authorities, err == nil
}

// isSet says whether a setting has a value, or a file that should have given one.
func (s *Settings) isSet(variable string) bool {
	value, kind := reflect.ValueOf(*s), reflect.TypeOf(*s)
	for i := range kind.NumField() {
		if kind.Field(i).Tag.Get("env") == variable && value.Field(i).String() != "" {
			return true
		}
	}
	return s.unread[variable] != ""
}
