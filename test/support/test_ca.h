// Certificates made for a test: an authority of its own, and servers that it has signed.
#ifndef TEST_SUPPORT_TEST_CA_H_
#define TEST_SUPPORT_TEST_CA_H_

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace tower {

// A key and a certificate for it, signed by `issuer` or by itself.
class TestIdentity {
 public:
  // `alt_names` as OpenSSL writes them: "DNS:localhost,IP:127.0.0.1". Valid until `expires_in`
  // seconds from now.
  TestIdentity(const std::string& name, const std::string& alt_names, const TestIdentity* issuer,
               long expires_in = 3600)
      : key_(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
    X509* x = certificate_.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), issuer == nullptr ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), expires_in);
    X509_set_pubkey(x, key_.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x,
                         X509_get_subject_name(issuer == nullptr ? x : issuer->certificate_.get()));
    if (issuer == nullptr) Extend(NID_basic_constraints, "critical,CA:TRUE");
    if (!alt_names.empty()) Extend(NID_subject_alt_name, alt_names);
    if (X509_sign(x, (issuer == nullptr ? key_ : issuer->key_).get(), EVP_sha256()) <= 0) {
      throw std::runtime_error("X509_sign failed");
    }
  }

  EVP_PKEY* key() const { return key_.get(); }
  X509* certificate() const { return certificate_.get(); }
  std::string CertificatePem() const {
    const Bio bio(BIO_new(BIO_s_mem()), BIO_free_all);
    PEM_write_bio_X509(bio.get(), certificate_.get());
    return Text(bio.get());
  }
  std::string KeyPem(const char* pass_phrase = nullptr) const {
    const Bio bio(BIO_new(BIO_s_mem()), BIO_free_all);
    PEM_write_bio_PrivateKey(bio.get(), key_.get(),
                             pass_phrase == nullptr ? nullptr : EVP_aes_128_cbc(), nullptr, 0,
                             nullptr, const_cast<char*>(pass_phrase));
    return Text(bio.get());
  }

 private:
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

  static std::string Text(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
  }
  void Extend(int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (extension == nullptr) throw std::runtime_error("X509V3_EXT_conf_nid failed");
    X509_add_ext(certificate_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_TEST_CA_H_
